// Which of cuDNN's plans were found to be the fastest, kept in a file from one process to the next.
// Two plans add up in different orders, so that a choice is part of what decides the bits of a run.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace easgd::cuda {

/// Choices in a file with a line for each: "QUESTION = RANK". From any thread. Other processes may
/// add to the file meanwhile; of two answers to a question the first counts. A file that cannot be
/// read, understood or written is warned of, once, and costs a search.
class PlanChoices {
 public:
  /// An empty path: kept as long as the process runs.
  explicit PlanChoices(std::filesystem::path path) : path_(std::move(path)) {}

  /// What is known, else what `search` finds, of which there is one at a time.
  /// Throws: what `search` throws.
  std::size_t find(const std::string& question, const std::function<std::size_t()>& search);

 private:
  void read();
  void add(const std::string& question, std::size_t rank);
  void warn_once(const std::string& message);

  const std::filesystem::path path_;
  std::mutex mutex_;
  bool read_ = false;
  std::map<std::string, std::size_t> known_;
  std::set<std::string> warnings_;
};

/// Those in the user's folder of caches: $XDG_CACHE_HOME, or .cache at home.
PlanChoices& users_plan_choices();

}  // namespace easgd::cuda
