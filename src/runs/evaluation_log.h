#pragma once

#include <algorithm>
#include <mutex>
#include <optional>
#include <vector>

#include "base/saved_state.h"
#include "evaluate/evaluator.h"
#include "runs/run_client.h"

namespace easgd {

/// The evaluations of a run so far.
/// Thread: any; a summary may be written while an evaluation goes on.
class EvaluationLog {
 public:
  void add(const Evaluation& evaluation) {
    const std::lock_guard lock(mutex_);
    all_.push_back(evaluation);
    best_error_ = std::min(best_error_, evaluation.test.error());
  }
  /// What a checkpoint holds of it; those after `version` are not in it.
  SavedState saved_up_to(std::uint64_t version) const;
  /// Takes the place of what there is.
  /// Throws: DataError.
  void load(const SavedState& saved, std::size_t workers);
  std::vector<Evaluation> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  /// Nothing before the first.
  std::optional<std::uint64_t> last_version() const {
    const std::lock_guard lock(mutex_);
    return all_.empty() ? std::nullopt : std::optional(all_.back().version);
  }
  std::vector<std::uint64_t> versions() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> versions;
    for (const Evaluation& evaluation : all_) versions.push_back(evaluation.version);
    return versions;
  }
  /// Nothing before the first.
  std::optional<CenterState> center() const {
    const std::lock_guard lock(mutex_);
    if (all_.empty()) return {};
    const Evaluation& last = all_.back();
    CenterState center{.test_loss = last.test.mean_loss(),
                       .test_error = last.test.error(),
                       .best_test_error = best_error_};
    if (last.train.samples > 0) center.train_loss = last.train.mean_loss();
    return center;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Evaluation> all_;
  double best_error_ = 1;
};

}  // namespace easgd
