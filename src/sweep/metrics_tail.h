// How far a run of another process is, from what it appends to its metrics.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace easgd {

/// What a run has said of itself last.
struct RunGlance {
  double fraction = 0;  ///< of the run, 0..1; 0 if it does not say
  double images_per_second = 0;
  std::optional<double> test_error = {}, best_test_error = {};
};

class MetricsTail {
 public:
  explicit MetricsTail(const std::filesystem::path& run_folder);

  /// Reads the whole lines that have come since; from the beginning if the file is another, as that
  /// of a run that goes on. A line that cannot be read is passed over.
  const RunGlance& look();

 private:
  std::filesystem::path path_;
  std::uint64_t inode_ = 0;
  std::int64_t read_ = 0;  // bytes
  RunGlance glance_;
};

}  // namespace easgd
