// A device, as a configuration names it, and how much of it somebody has.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend_kind.h"

namespace easgd {

struct Placement {
  std::string kind;  ///< name in the registry of backends
  BackendOptions options;

  /// "cpu", "cuda:1".
  std::string name() const;
  /// For the calling thread.
  std::unique_ptr<Backend> make_backend() const { return easgd::make_backend(kind, options); }
};

std::vector<std::string> names_of(const std::vector<Placement>& placements);

Placement cuda_device(int index);

/// The device of "cuda:<n>", n of 0..999; nothing for other words.
std::optional<Placement> named_cuda_device(const std::string& word);

/// Throws: DeviceError, with the remedy, if this program or machine lacks the device.
void check_present(const Placement& placement, const char* remedy);

/// That one worker on the CPU can have, as far as OMP_THREAD_LIMIT allows.
std::size_t most_threads();

}  // namespace easgd
