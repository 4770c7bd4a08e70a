// An algorithm is two rules: what a worker does with its replica, and what the master does with a
// letter. One file each in this folder, formula and source at its top; nothing outside knows them
// by name.
//
//   x  local variable      c  center variable      g  gradient
//   v  momentum            y  point of the gradient (look-ahead)
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "backend/backend.h"
#include "base/registry.h"
#include "base/view.h"

namespace easgd {

/// The settings of one step, after their schedules.
struct Rates {
  float learning_rate = 0;  ///< eta
  float momentum = 0;       ///< delta
  float weight_decay = 0;
};

/// A worker's side. Belongs to the worker's thread; its vectors are on the worker's device.
class WorkerRule {
 public:
  virtual ~WorkerRule() = default;
  /// Where the next gradient is taken [P].
  virtual ConstView gradient_point() const = 0;
  /// What the next letter carries [P]: it is copied before the step changes it.
  virtual ConstView letter() const = 0;
  /// One local step with gradient g [P] and, after an exchange, the reply [P] to the letter (else
  /// empty). The reply comes with the step, so the whole exchange hides behind the gradient.
  virtual void step(ConstView g, ConstView reply, const Rates& rates) = 0;
  /// Starts again from the center [P], with no memory of the past.
  virtual void restart(ConstView center) = 0;
};

/// One letter as the master sees it, in host memory.
struct Letter {
  ConstView values;  ///< [P]
  View reply;        ///< [P] to be written
  float alpha = 0;   ///< moving rate of this exchange
};

/// The master's side. Belongs to the master's thread.
class CenterRule {
 public:
  virtual ~CenterRule() = default;
  /// Absorbs the letters of a round against the same center [P] and writes their replies. An
  /// asynchronous exchange is a round of one.
  virtual void absorb(std::span<const Letter> round, View center) = 0;
};

/// What the registry holds of an algorithm. `x0` is the initial parameter vector in host memory.
struct Algorithm {
  std::function<std::unique_ptr<WorkerRule>(Backend&, ConstView x0)> worker;
  std::function<std::unique_ptr<CenterRule>()> center;
  /// It has an elastic force, and so takes one of rho, alpha, beta.
  bool elastic = false;
  /// Workers get an answer that `step` uses.
  bool replies = false;
  /// For one worker only; its letters publish x, also at the end of the run.
  bool single = false;
};

}  // namespace easgd
