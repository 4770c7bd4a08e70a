// A master that offers its center, and the evaluator: every snapshot is of one version, and the
// last version is evaluated. Perhaps a third thread waits until what was offered is evaluated, as
// the keeper of checkpoints does.
#pragma once

#include "exchange/snapshot.h"
#include "explorer.h"

namespace easgd::proof {

/// Whether the master waits for the evaluator.
enum class Time { real, virtual_time };
/// Whether the evaluator has done with a snapshot when it gives its room back.
enum class Evaluates { well, after_release };

enum class Keeper { none, waits };

class SnapshotScenario final : public Scenario {
 public:
  SnapshotScenario(std::uint64_t versions, Time time, Evaluates evaluates, Keeper keeper)
      : versions_(versions), time_(time), evaluates_(evaluates), keeper_(keeper) {}

  std::size_t threads() const override { return keeper_ == Keeper::waits ? 3 : 2; }
  void run(std::size_t thread) override {
    if (thread == 0) return offer_all();
    thread == 1 ? evaluate_all() : slot_.wait_until_empty();
  }
  void check() const override { expect(done_ == versions_, "the last version is not evaluated"); }

 private:
  void offer_all() {
    for (std::uint64_t version = 1; version <= versions_; ++version) {
      explorer().at({version});
      if (time_ == Time::virtual_time) slot_.wait_until_empty();
      offer(version);
    }
    finish();
  }

  void offer(std::uint64_t version) {
    center_[0] = center_[1] = float(version);
    steps_[0] = version;
    slot_.offer({.center = center_, .version = version, .steps = steps_}, double(version));
  }

  /// As Evaluator::finish does.
  void finish() {
    slot_.wait_until_empty();
    if (done_ != versions_) {
      last_ = true;
      offer(versions_);
      slot_.wait_until_empty();
    }
    slot_.close();
  }

  void evaluate_all() {
    while (const Snapshot* s = slot_.take()) {
      if (evaluates_ == Evaluates::after_release) slot_.release();
      const ConstView center = s->center;
      expect(center[0] == float(s->version) && center[1] == center[0], "parts of two centers");
      expect(s->steps[0] == s->version && s->version > done_, "an old snapshot");
      expect(!last_ || s->version == versions_, "a snapshot after the last");
      done_ = s->version;
      if (evaluates_ == Evaluates::well) slot_.release();
      explorer().at({done_});
    }
  }

  static Explorer& explorer() { return Explorer::current(); }

  const std::uint64_t versions_;
  const Time time_;
  const Evaluates evaluates_;
  const Keeper keeper_;
  float center_[2] = {};
  std::uint64_t steps_[1] = {};
  SnapshotSlot slot_{2};
  // Between the two, in turns.
  bool last_ = false;
  std::uint64_t done_ = 0;
};

}  // namespace easgd::proof
