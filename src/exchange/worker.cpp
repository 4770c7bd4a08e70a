#include "exchange/worker.h"

#include <fmt/format.h>

#include "base/error.h"

namespace easgd {
namespace {

/// The life that a worker is in when it is made.
std::optional<NewLife> life_of(const WorkerOptions& o) {
  return o.life || !o.resumed ? o.life : Worker::life_in(*o.resumed, o.index);
}

std::unique_ptr<Model> make_model(const WorkerOptions& o, Backend& backend) {
  auto model = o.parts.model(backend);
  if (!o.parts.faults) return model;
  const auto life = life_of(o);
  return o.parts.faults(backend, std::move(model), life ? std::optional(life->step) : std::nullopt);
}

}  // namespace

Worker::Worker(const WorkerOptions& o, Mailbox& mailbox, WorkerTelemetry& telemetry)
    : index_(o.index),
      algorithm_(o.algorithm),
      schedule_(o.schedule),
      deposits_(o.deposits),
      depositor_{.worker = o.index, .before = o.before},
      telemetry_(telemetry),
      steps_(o.schedule.steps(o.index)),
      profiled_(o.index == 0 ? o.schedule.profiled() : Steps{}),
      lives_(o.schedule.lives(o.index)),
      most_refusals_(o.refusals),
      life_(life_of(o)),
      backend_(o.parts.backend()),
      letters_(backend_->letters()),
      batches_(o.parts.batches(*backend_)),
      model_(make_model(o, *backend_)),
      make_rule_([this, rules = o.rules, x0 = o.state0.first(o.state0.size() - o.statistics)] {
        return algorithm_.worker(*backend_, rules, x0);
      }),
      rule_(make_rule_()),
      gradient_(backend_->allocate(o.state0.size() - o.statistics)),
      statistics_(backend_->allocate(o.statistics)),
      posted_(backend_->allocate(o.deposits ? o.statistics : 0)),
      mailbox_(mailbox),
      cuts_(o.schedule.rate_schedule()),
      posted_cuts_(cuts_) {
  const ConstView state0 = o.state0;
  backend_->upload(state0.last(o.statistics), statistics_);
  if (mailbox_.letter().empty()) {
    letter_ = backend_->allocate_mailbox(state0.size());
    reply_ = backend_->allocate_mailbox(state0.size());
    mailbox_.attach(letter_, reply_);
  }
  stalls_before_ = telemetry_.exchange_seconds;
  if (o.life) begin_at(o.life->step);
  if (o.resumed) {
    in_section(Checkpoint::section_of_worker(index_), [&] { go_on(*o.resumed); });
  }
}

Worker::~Worker() {
  try {
    backend_->finish();
  } catch (const std::exception&) {  // the failure that brought us here, once more
  }
  mailbox_.wait_for_reply();
  lay_down_if_owed();
}

Worker::Ending Worker::run(std::stop_token stop) {
  running_.emplace(telemetry_.run_seconds);
  std::optional<TraceScope> profiled;
  if (stage_ == Stage::push) finish_push();
  while (has_more() && !closed_ && !stop.stop_requested() && !mailbox_.is_given_up()) {
    if (is_life_over()) {
      if (end_life() == Ending::gone) return Ending::gone;
    }
    if (stage_ == Stage::begin) {
      begin_again();
      continue;
    }
    if (clock_ == profiled_.last) profiled.reset();
    if (clock_ == profiled_.first && profiled_.first < profiled_.last) profiled.emplace("profile");
    step();
  }
  profiled.reset();
  const bool is_cut_short = clock_ < steps_;
  if (is_cut_short) leave(stage_ == Stage::begin ? Stage::begin : Stage::step);
  const bool has_letter = stage_ != Stage::nothing && stage_ != Stage::begin;
  if (algorithm_.last_letter && !closed_ && has_letter) {  // so that no step is lost
    stage_ = Stage::last_push;
    push(clock_);
  }
  if (is_life_over()) return end_life();
  if (!is_cut_short) leave(Stage::nothing);
  telemetry_.phase = Phase::ended;
  return stage_ == Stage::begin ? Ending::not_begun : Ending::usual;
}

/// Steps; or in a replay a letter that the recorded worker posted in the step in which it failed.
bool Worker::has_more() const {
  const bool is_unfinished = lives_over_ < lives_.size() && clock_ == next_exchange_;
  return stage_ == Stage::begin || clock_ < steps_ || is_unfinished || is_life_over();
}

void Worker::step() {
  const TraceScope trace("step");
  if (cuts_.is_due(clock_)) look_at_loss();
  telemetry_.phase = Phase::data;
  const Batch* batch = nullptr;
  {
    const TimedScope timed(telemetry_.data_seconds, "wait for batch");
    batch = &batches_->next(clock_);
  }
  const bool exchange = clock_ == next_exchange_;
  if (exchange) {
    next_exchange_ = clock_ + schedule_.tau(clock_);
    if (posted_.size() > 0)
      backend_->run(kernels::Copy{posted_.data(), statistics_.data()}, posted_.size());
    post(algorithm_.timing == Timing::around ? Visit::pull : Visit::letter, clock_);
    if (algorithm_.timing != Timing::overlapped) receive();
    if (closed_ || is_life_over()) return;
  }
  {
    telemetry_.phase = Phase::gradient;
    const TimedScope timed(telemetry_.gradient_seconds, "gradient");
    model_->gradient(rule_->gradient_point(), *batch, gradient_, statistics_);
  }
  if (finish_step(exchange)) telemetry_.clock = ++clock_;
  if (const auto seconds = letters_.reply_stall_seconds())
    telemetry_.exchange_seconds = stalls_before_ + *seconds;
  running_->count();
}

Rates Worker::rates() const {
  Rates rates = schedule_.rates(clock_);
  rates.learning_rate = float(learning_rate());
  return rates;
}

double Worker::learning_rate() const {
  return schedule_.learning_rate(clock_) * cuts_.factor();
}

void Worker::look_at_loss() {
  cuts_.look(clock_, tally_so_far());
}

/// Where the loss decides on the rate, a letter has that of the same steps every time, also on a
/// device that brings losses some steps late.
Tally Worker::tally_for_letter() {
  if (!cuts_.is_on()) return model_->take_tally();
  backend_->finish();
  const Tally tally = model_->take_tally();
  posted_cuts_ = cuts_;
  cuts_.carry(tally);
  return tally;
}

/// Hands a letter of so many steps to the master, or comes for something else.
void Worker::post(Visit visit, std::uint64_t steps) {
  telemetry_.phase = Phase::exchange;
  const TimedScope timed(telemetry_.exchange_seconds, "post letter");
  const bool is_letter = visit == Visit::letter;
  letter_has_steps_ = has_stepped_;
  mailbox_.note() = {rates(), steps, is_letter ? tally_for_letter() : Tally(), visit};
  if (!is_letter) {
    mailbox_.post();
  } else {
    const ConstView parts[] = {rule_->letter(), statistics_};
    letters_.post(parts, mailbox_.letter(), [this] { mailbox_.post(); });
  }
}

/// Sleeps until the master has answered; empty if the answer holds nothing.
ConstView Worker::wait_for_reply() {
  telemetry_.phase = Phase::exchange;
  const TimedScope timed(telemetry_.exchange_seconds, "wait for reply");
  letters_.wait_posted();
  const Mailbox::Reply kind = mailbox_.wait_for_reply();
  closed_ = kind == Mailbox::Reply::closed;
  refused_ = kind == Mailbox::Reply::restart;
  if (deposits_ && mailbox_.mark() > mark_) lay_down_as_posted();
  note_answer(kind);
  if (kind != Mailbox::Reply::values && !refused_) return {};
  return letters_.fetch(mailbox_.reply().first(gradient_.size()));
}

/// Throws: DataError after too many letters in a row that were refused.
void Worker::note_answer(Mailbox::Reply kind) {
  if (kind == Mailbox::Reply::closed || stage_ == Stage::begin) return;
  ++visits_;
  if (mailbox_.note().visit != Visit::letter) return;
  if (refused_) {
    ++refused_in_row_;
  } else if (letter_has_steps_) {  // else it was the center's own
    refused_in_row_ = 0;
  }
  if (most_refusals_ == 0 || refused_in_row_ < most_refusals_) return;
  throw DataError(
      refused_in_row_ == 1
          ? std::string("its last letter of new steps was not finite")
          : fmt::format("its last {} letters of new steps were not finite", refused_in_row_));
}

/// The reply of an exchange that comes before the gradient.
void Worker::receive() {
  pulled_ = wait_for_reply();
  const TimedScope timed(telemetry_.gradient_seconds, "receive");
  if (refused_) {
    restart(pulled_);
  } else if (!closed_) {
    rule_->receive(pulled_, rates());
  }
  mailbox_.release();
}

/// After a letter that was refused: from the center [P] that came instead, and its statistics.
void Worker::restart(ConstView center) {
  rule_->restart(center);
  backend_->upload(mailbox_.reply().subspan(gradient_.size()), statistics_);
  refused_ = has_stepped_ = false;
}

/// The step, with what of an exchange belongs to it or follows it; false if the master has
/// closed before it.
bool Worker::finish_step(bool exchange) {
  ConstView reply;
  if (exchange && algorithm_.timing == Timing::overlapped) reply = wait_for_reply();
  if (exchange && algorithm_.timing == Timing::around) reply = pulled_;
  if (closed_ || is_life_over()) return false;
  telemetry_.phase = Phase::gradient;
  {
    const TimedScope timed(telemetry_.gradient_seconds, "update");
    if (refused_) {
      restart(reply);
    } else {
      telemetry_.learning_rate = learning_rate();
      rule_->step(gradient_, reply, rates());
      has_stepped_ = true;
    }
  }
  mailbox_.release();
  if (exchange && algorithm_.timing == Timing::around) {
    stage_ = Stage::push;
    push(clock_ + 1);
    stage_ = Stage::step;
    if (is_life_over() || mailbox_.is_given_up()) return false;  // its letter may be in no center
  }
  return true;
}

/// The letter of a step that was taken before the run was resumed.
void Worker::finish_push() {
  push(clock_ + 1);
  stage_ = Stage::step;
  if (!is_life_over() && !mailbox_.is_given_up()) telemetry_.clock = ++clock_;
}

/// A letter whose reply is no part of a step.
void Worker::push(std::uint64_t steps) {
  post(Visit::letter, steps);
  const ConstView reply = wait_for_reply();
  if (refused_) restart(reply);
  mailbox_.release();
}

}  // namespace easgd
