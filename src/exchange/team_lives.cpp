// How workers live, fail and begin again.
#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/failure.h"
#include "base/free_memory.h"
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
          .before = life.before,
          .refusals = options_.policy.refusals};
}

/// The body of a worker's thread.
void Team::live(Life& life) {
  name_thread("worker " + std::to_string(life.worker));
  if (life.begins) give_back_free_memory();  // that of the life before
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

/// A replay repeats the restarts that were recorded: it counts none.
std::size_t Team::restarts_before() const {
  const Checkpoint* from = options_.checkpoints.resumed;
  if (!from) return 0;
  std::size_t count = master_->beginnings();
  for (std::size_t i = 0; i < workers(); ++i) {
    if (!options_.schedule->lives(i).empty()) return 0;
    count += !is_gone_since_before(i) && Worker::begins_in(*from, i);
  }
  return count;
}

void Team::end(Life& life, Worker::Ending ending) {
  const std::lock_guard lock(fate_);
  if (life.is_over) return;  // it was given up
  life.is_over = true;
  if (ending == Worker::Ending::gone) {
    const std::uint64_t step = life.telemetry.clock;
    note_gone(life, step, Worker::left_by_gone(step));
  } else if (ending == Worker::Ending::not_begun) {
    record_gone(life.worker, life.telemetry.clock);
  }
  life.mailbox.leave();
}

/// For a replay, which ends the worker there.
void Team::record_gone(std::size_t worker, std::uint64_t step) {
  gone_.push_back({.at = 0, .worker = worker, .kind = Incident::Kind::gone, .clock = step});
}

/// `remains`: what a checkpoint has of it. With fate_ locked.
void Team::note_gone(Life& life, std::uint64_t step, std::optional<SavedState> remains) {
  const std::size_t worker = life.worker;
  record_gone(worker, step);
  is_gone_[worker] = true;
  life.telemetry.phase = Phase::ended;
  if (!deposits_) return;
  remains ? deposits_->bequeath(worker, std::move(*remains)) : deposits_->lose(worker);
}

/// In a catch block of the worker's thread.
void Team::fail(Life& life, bool made) {
  const auto [code, why] = failure_of(std::current_exception());
  const std::lock_guard lock(fate_);
  if (std::exchange(life.is_over, true)) {  // nobody wants to know why
    if (!life.is_given_up) life.mailbox.leave();
    return;
  }
  if (!made && !life.begins) {
    making_error_.record();
    ++failed_;
    life.telemetry.phase = Phase::ended;
    life.mailbox.leave();
    workers_made_.count_down();
    return;
  }
  worker_error_.record();
  if (code == ExitCode::data && options_.policy.needs_all_data) lacks_data_ = true;
  const double now = seconds();  // of before the checkpoint, if it ends the run
  WorkerFailure failure = failure_of_life(life, why);
  const Sequel sequel = make_sequel(life, failure);
  settle(life, failure, sequel);
  report(failure, now);  // before anybody can tell of the heir
  life.mailbox.leave(sequel.member());
}

bool Team::give_up(std::size_t worker, const std::string& why, const WorkerTelemetry* of) {
  const std::lock_guard lock(fate_);
  Life& life = lives_.current(worker);
  if ((of && of != &life.telemetry) || life.is_over || !life.mailbox.withdraw()) return false;
  life.is_over = life.is_given_up = true;
  try {
    throw DeviceError(fmt::format("worker {}: {}", worker, why));
  } catch (const DeviceError&) {
    worker_error_.record();
  }
  const Member* heir = nullptr;
  try {
    const double now = seconds();  // as in fail()
    WorkerFailure failure = failure_of_life(life, why);
    const Sequel sequel = make_sequel(life, failure);
    settle(life, failure, sequel);
    report(failure, now);  // before anybody can tell of the heir
    heir = sequel.member();
  } catch (...) {
    life.mailbox.abandon(nullptr);
    throw;
  }
  life.mailbox.abandon(heir);
  return true;
}

bool Team::leave_behind(std::size_t worker, const std::string& why, const WorkerTelemetry* of) {
  if (!options_.placement.routes.empty()) return false;
  const std::lock_guard lock(fate_);
  Life& life = lives_.current(worker);
  if (of != &life.telemetry || life.is_over || !life.mailbox.withdraw()) return false;
  life.is_over = life.is_given_up = true;
  ++left_behind_;
  WorkerFailure failure = failure_of_life(life, why);
  failure.after = WorkerFailure::After::is_left_behind;
  const std::optional<NewLife>& began = life.begins ? life.begins : life.resumed;
  const NewLife next{failure.step, began ? began->in_vain : 0};
  const bool has_steps = failure.step < options_.schedule->steps(worker);
  if (deposits_) {
    deposits_->spoil(worker);  // what is not whole yet is to have its replica, or not to be
    deposits_->fail(worker, life.mailbox.mark());
  }
  note_gone(life, failure.step,
            has_steps ? Worker::left_for(next) : Worker::left_by_gone(failure.step));
  report(failure, seconds());
  life.mailbox.abandon(nullptr);
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
  if (options_.policy.on_failure != OnFailure::restart || !has_steps || lacks_data_)
    return std::nullopt;
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

/// Makes the life that follows a failure, or none. With fate_ locked.
Team::Sequel Team::make_sequel(Life& life, WorkerFailure& failure) {
  Sequel sequel{.next = life_after(life, failure)};
  if (sequel.next && !stop_.stop_requested()) sequel.heir = &lives_.follow(life, *sequel.next);
  return sequel;
}

/// What a failure leaves behind, and what is said to come after it. Whoever goes on with a run that
/// has ended by a failure, or been stopped before it, has the worker again. With fate_ locked, and
/// no letter of the worker out.
void Team::settle(Life& life, WorkerFailure& failure, const Sequel& sequel) {
  using After = WorkerFailure::After;
  if (stops_at_failure()) {
    ++failed_;
    note_gone(life, failure.step, std::nullopt);
    request_stop();
  } else {
    if (deposits_) deposits_->fail(life.worker, life.mailbox.mark());
    if (sequel.heir && start_heir(*sequel.heir)) {
      ++restarts_;
      failure.after = After::begins_again;
      return;
    }
    if (sequel.heir) {
      failure.why += "; the system has no thread with which it could begin again";
    } else {
      ++failed_;
      note_gone(life, failure.step,
                sequel.next ? Worker::left_for(*sequel.next) : Worker::left_by_gone(failure.step));
    }
  }
  const bool ends = stop_.stop_requested() || failed_ == workers();
  failure.after = ends ? After::run_ends : After::is_gone;
}

/// Returns false if it gets no thread: then the worker is gone.
bool Team::start_heir(Life& heir) {
  try {
    start(heir);
    return true;
  } catch (...) {
    worker_error_.record();
    heir.is_over = true;
    ++failed_;
    note_gone(heir, heir.begins->step, Worker::left_by_gone(heir.begins->step));
    heir.mailbox.leave();
    return false;
  }
}

/// With fate_ locked: failures are told in the order in which they come.
void Team::report(const WorkerFailure& failure, double at) {
  try {
    if (options_.on_failure) options_.on_failure(failure, at);
  } catch (...) {  // join() and failed() still know of the failure
  }
}

}  // namespace easgd
