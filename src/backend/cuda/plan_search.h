// Which of cuDNN's plans for a convolution is taken: the first of its ranking that runs, or the one
// that is the fastest here. For that the first few are timed, once for a device and a cuDNN, and the
// choice is kept. Two plans add up in different orders, so that a choice is part of what decides the
// bits of a run.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "backend/cuda/convolution_plan.h"

namespace easgd::cuda {

/// Choices made before, in a file with a line for each: "QUESTION = PLACE IN THE RANKING". From any
/// thread. Other processes may add to the file meanwhile; of two answers to a question the first
/// counts.
class PlanChoices {
 public:
  /// An empty path: kept as long as the process runs.
  explicit PlanChoices(std::filesystem::path path) : path_(std::move(path)) {}

  /// What is known, else what `search` finds, of which there is one at a time.
  /// Throws: DataError for a file that cannot be understood or written; what `search` throws.
  std::size_t find(const std::string& question, const std::function<std::size_t()>& search);

 private:
  void read();
  void add(const std::string& question, std::size_t place) const;

  const std::filesystem::path path_;
  std::mutex mutex_;
  bool read_ = false;
  std::map<std::string, std::size_t> known_;
};

/// Those in the user's folder of caches: $XDG_CACHE_HOME, or .cache at home.
PlanChoices& users_plan_choices();

/// The first plan of the ranking that runs, for one may be made that does not; nothing where there
/// is none at all.
/// Throws: DeviceError where none runs.
std::optional<ConvolutionPlan> first_plan(cudnnHandle_t handle, cudaStream_t stream,
                                          const Convolution& convolution, Role role);

/// The fastest plan on the current device; nothing where there is none at all.
std::optional<ConvolutionPlan> fastest_plan(cudnnHandle_t handle, cudaStream_t stream,
                                            const Convolution& convolution, Role role,
                                            PlanChoices& choices);

}  // namespace easgd::cuda
