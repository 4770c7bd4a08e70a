// How a worker begins again from the center after a failure, and how a replay repeats that.
#include "exchange/worker.h"

namespace easgd {

void Worker::begin_at(std::uint64_t clock) {
  stage_ = Stage::begin;
  has_begun_ = false;
  clock_ = next_exchange_ = clock;
  telemetry_.clock = clock;
}

/// One visit to the master. Of a method that pulls first, the first visit stands for the pull and
/// brings nothing, if the one before had not pulled: all workers stay in step.
void Worker::begin_again() {
  post(Visit::begin, clock_);
  const ConstView center = wait_for_reply();
  has_begun_ = true;
  if (refused_) {
    restart(center);
    stage_ = Stage::step;
  }
  mailbox_.release();
}

/// Of a replay: the worker has come as far as the recorded one.
bool Worker::is_life_over() const {
  if (lives_over_ == lives_.size() || !has_begun_) return false;
  const LifeEnd& end = lives_[lives_over_];
  return visits_ == end.visits && clock_ >= end.clock;
}

/// Of a replay: nothing is left of the worker that the recorded one lost, too.
Worker::Ending Worker::end_life() {
  const LifeEnd end = lives_[lives_over_++];
  mailbox_.release();
  visits_ = refused_in_row_ = 0;
  refused_ = false;
  if (end.begins_again) {
    backend_->finish();
    model_->take_tally();
    rule_ = make_rule_();
    begin_at(end.clock);
    return Ending::usual;
  }
  telemetry_.clock = end.clock;
  telemetry_.phase = Phase::ended;
  return Ending::gone;
}

}  // namespace easgd
