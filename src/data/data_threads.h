// The threads that read and prepare data: TBB's.
#pragma once

#include <cstddef>
#include <memory>

namespace easgd {

/// Beside the caller, as many threads as there are cores; at least one.
std::size_t most_data_threads();

/// While one lives, TBB has at most a thread a core, and no more than the system has left beside
/// the `others` that the caller is going to start. Found out before any of them is: TBB and OpenMP
/// end a program that lacks one.
class DataThreads {
 public:
  /// Throws: DeviceError where not even the others and one for data can be started.
  explicit DataThreads(std::size_t others);
  ~DataThreads();

 private:
  struct Limit;
  std::unique_ptr<Limit> limit_;
};

}  // namespace easgd
