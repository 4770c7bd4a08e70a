// How workers live, fail and begin again.
#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/failure.h"
#include "base/trace.h"
#include "exchange/team.h"
#include "exchange/team_totals.h"

namespace easgd {

WorkerOptions Team::worker_options(const Life& life) const {
  const bool is_first = !life.begins;
  return {.index = life.worker,
          .parts = options_.workers[life.worker],
          .algorithm = *options_.algorithm,
          .rules = {.workers = workers(), .own = options_.own},
          .schedule = *options_.schedule,
          .state0 = options_.state0,
          .statistics = options_.statistics.count,
          .deposits = deposits_.get(),
          .resumed = is_first ? options_.checkpoints.resumed : nullptr,
          .life = life.begins,
          .refusals = options_.policy.refusals};
}

/// The body of a worker's thread.
void Team::live(Life& life) {
  name_thread("worker " + std::to_string(life.worker));
  bool made = false;
  try {
    end(life, live_through(life, made));
  } catch (const Bug&) {  // no run goes on with one
    bug_.record();
    request_stop();
    fail(life, made);
  } catch (...) {
    fail(life, made);
  }
  life.has_ended.release();
}

/// `made`: all that it is made of is there.
Worker::Ending Team::live_through(Life& life, bool& made) {
  if (!life.begins && is_gone_since_before(life.worker)) {
    life.telemetry.clock = *Worker::gone_at(*options_.checkpoints.resumed, life.worker);
    life.telemetry.phase = Phase::ended;
    ++failed_;
    workers_made_.count_down();
    return Worker::Ending::gone;
  }
  const Checkpoint* from = options_.checkpoints.resumed;
  if (!life.begins && from) life.resumed = Worker::life_in(*from, life.worker);
  Worker worker(worker_options(life), life.mailbox, life.telemetry);
  made = true;
  if (!life.begins) {
    workers_made_.count_down();
    start_.wait();
  }
  return worker.run(stop_.get_token());
}

/// It was gone when the checkpoint was made, and others were not: without those there is no run.
bool Team::is_gone_since_before(std::size_t worker) const {
  const Checkpoint* from = options_.checkpoints.resumed;
  return from && !were_all_gone_ && Worker::gone_at(*from, worker);
}

void Team::end(Life& life, Worker::Ending ending) {
  const std::lock_guard lock(fate_);
  if (life.is_over) return;
  life.is_over = true;
  if (ending == Worker::Ending::gone) {
    const std::uint64_t step = life.telemetry.clock;
    note_gone(life, step, Worker::left_by_gone(step));
  }
  life.mailbox.leave();
}

/// `remains`: what a checkpoint has of it. With fate_ locked.
void Team::note_gone(Life& life, std::uint64_t step, std::optional<SavedState> remains) {
  const std::size_t worker = life.worker;
  gone_.push_back({.at = 0, .worker = worker, .kind = Incident::Kind::gone, .clock = step});
  life.telemetry.phase = Phase::ended;
  if (!deposits_) return;
  remains ? deposits_->leave(worker, std::move(*remains)) : deposits_->lose(worker);
}

/// In a catch block of the worker's thread.
void Team::fail(Life& life, bool made) {
  const std::string why = failure_of(std::current_exception()).message;
  std::unique_lock lock(fate_);
  if (std::exchange(life.is_over, true)) return;  // it was given up: nobody wants to know
  if (!made && !life.begins) {
    making_error_.record();
    ++failed_;
    life.telemetry.phase = Phase::ended;
    life.mailbox.leave();
    workers_made_.count_down();
    return;
  }
  worker_error_.record();
  WorkerFailure failure = failure_of_life(life, why);
  const Sequel sequel = make_sequel(life, failure);
  life.mailbox.leave(sequel.member());
  settle(life, failure, sequel);
  lock.unlock();
  report(failure);
}

bool Team::give_up(std::size_t worker, const std::string& why) {
  std::unique_lock lock(fate_);
  Life& life = lives_.current(worker);
  const Mailbox::State state = life.mailbox.state();
  const bool is_its_turn = state == Mailbox::State::idle || state == Mailbox::State::answered;
  if (life.is_over || !is_its_turn) return false;
  WorkerFailure failure = failure_of_life(life, why);
  const Sequel sequel = make_sequel(life, failure);
  if (!life.mailbox.abandon(sequel.member())) {
    if (sequel.heir) lives_.take_back(*sequel.heir, life);
    return false;
  }
  life.is_over = life.is_given_up = true;
  try {
    throw DeviceError(fmt::format("worker {}: {}", worker, why));
  } catch (const DeviceError&) {
    worker_error_.record();
  }
  settle(life, failure, sequel);
  lock.unlock();
  report(failure);
  return true;
}

WorkerFailure Team::failure_of_life(const Life& life, const std::string& why) const {
  return {.worker = life.worker,
          .step = life.telemetry.clock,
          .version = totals_of(*this).exchanges,
          .why = why,
          .after = WorkerFailure::After::is_gone};
}

/// The life that would follow a failure; nothing if the worker is to be gone.
std::optional<NewLife> Team::life_after(const Life& life, WorkerFailure& failure) const {
  const bool has_steps = failure.step < options_.schedule->steps(life.worker);
  if (options_.policy.on_failure != OnFailure::restart || !has_steps) return std::nullopt;
  const std::optional<NewLife>& began = life.begins ? life.begins : life.resumed;
  const NewLife before = began.value_or(NewLife());
  const bool was_in_vain = began && life.telemetry.absorbed <= before.step;
  const std::uint64_t in_vain = was_in_vain ? before.in_vain + 1 : 0;
  if (in_vain == kMostInVain) {
    failure.why += fmt::format("; it has begun again {} times in vain", kMostInVain);
    return std::nullopt;
  }
  return NewLife{failure.step, in_vain};
}

/// Says what comes after a failure, and makes the life that follows it, or none. With fate_ locked.
Team::Sequel Team::make_sequel(Life& life, WorkerFailure& failure) {
  const bool stops = options_.policy.on_failure == OnFailure::stop;
  if (stops) failure.after = WorkerFailure::After::run_ends;
  Sequel sequel{.next = life_after(life, failure)};
  if (!sequel.next || stop_.stop_requested()) return sequel;
  failure.after = WorkerFailure::After::begins_again;
  sequel.heir = &lives_.follow(life, *sequel.next);
  return sequel;
}

/// What a failure leaves behind. Whoever goes on with a run that has ended by a failure, or been
/// stopped before it, has the worker again. With fate_ locked, its mailbox left or abandoned.
void Team::settle(Life& life, const WorkerFailure& failure, const Sequel& sequel) {
  if (deposits_) deposits_->fail(life.worker, life.mailbox.mark());
  if (sequel.heir) {
    ++restarts_;
    return start_heir(*sequel.heir);
  }
  ++failed_;
  std::optional<SavedState> remains = Worker::left_by_gone(failure.step);
  if (sequel.next) remains = Worker::left_for(*sequel.next);
  if (failure.after == WorkerFailure::After::run_ends) remains.reset();
  note_gone(life, failure.step, std::move(remains));
  if (failure.after == WorkerFailure::After::run_ends) request_stop();
}

/// One that gets no thread is gone as well.
void Team::start_heir(Life& heir) {
  try {
    start(heir);
  } catch (...) {
    worker_error_.record();
    heir.is_over = true;
    ++failed_;
    note_gone(heir, heir.begins->step, Worker::left_by_gone(heir.begins->step));
    heir.mailbox.leave();
  }
}

void Team::report(const WorkerFailure& failure) {
  try {
    if (options_.on_failure) options_.on_failure(failure, seconds());
  } catch (...) {  // join() and failed() still know of the failure
  }
}

}  // namespace easgd
