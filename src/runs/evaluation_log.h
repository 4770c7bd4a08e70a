#pragma once

#include <mutex>
#include <vector>

#include "evaluate/evaluator.h"

namespace easgd {

/// The evaluations of a run so far.
/// Thread: any; a summary may be written while an evaluation goes on.
class EvaluationLog {
 public:
  void add(const Evaluation& evaluation) {
    const std::lock_guard lock(mutex_);
    all_.push_back(evaluation);
  }
  std::vector<Evaluation> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Evaluation> all_;
};

}  // namespace easgd
