#include "exchange/team.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/failure.h"
#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd {
namespace {

template <class Item>
std::vector<std::unique_ptr<Item>> make_each(std::size_t count, const auto& make) {
  std::vector<std::unique_ptr<Item>> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(make(i));
  return result;
}

}  // namespace

Team::Team(TeamOptions options)
    : options_(std::move(options)),
      telemetry_(make_each<WorkerTelemetry>(
          options_.workers.size(),
          [](std::size_t) { return std::make_unique<WorkerTelemetry>(); })),
      mailboxes_(make_each<Mailbox>(
          options_.workers.size(),
          [this](std::size_t i) { return std::make_unique<Mailbox>(bell_, i); })),
      deposits_(options_.checkpoints.wanted ? std::make_unique<Deposits>(options_.workers.size())
                                            : nullptr),
      workers_made_(std::ptrdiff_t(options_.workers.size())) {}

Team::~Team() {
  request_stop();
  if (!started_all_) {
    for (const auto& mailbox : mailboxes_) mailbox->close();  // nobody will answer
    for (std::size_t i = worker_threads_.size(); i < workers(); ++i) mailboxes_[i]->leave();
    start_.count_down();
  }
  for (std::thread& thread : worker_threads_) thread.join();
  if (master_thread_.joinable()) master_thread_.join();
}

void Team::start() {
  master_thread_ = start_thread("the master", [this] { run_master(); });
  master_made_.wait();
  making_error_.rethrow_if_any();
  for (std::size_t i = 0; i < workers(); ++i) {
    worker_threads_.push_back(
        start_thread(fmt::format("worker {} of {}", i, workers()), [this, i] { run_worker(i); }));
  }
  workers_made_.wait();
  if (making_error_.get()) request_stop();
  started_ = RunningClock::now();
  started_all_ = true;
  start_.count_down();
  making_error_.rethrow_if_any();
}

MasterOptions Team::master_options() {
  MasterOptions master{.algorithm = *options_.algorithm,
                       .rules = {.workers = workers(), .own = options_.own},
                       .placement = options_.placement,
                       .state0 = options_.state0,
                       .statistics = options_.statistics,
                       .order = std::move(options_.order),
                       .members = {},
                       .on_failure = [this] { request_stop(); },
                       .on_version = {},
                       .checkpoints = master_checkpoints()};
  if (options_.on_version) {
    master.on_version = [this](const CenterView& center) {
      return options_.on_version(center, center.seconds.value_or(seconds()));
    };
  }
  for (std::size_t i = 0; i < workers(); ++i) {
    master.members.push_back({mailboxes_[i].get(), telemetry_[i].get()});
  }
  return master;
}

Checkpoints Team::master_checkpoints() {
  const TeamOptions::Checkpoints& o = options_.checkpoints;
  Checkpoints checkpoints{.deposits = deposits_.get(), .resumed = o.resumed};
  if (deposits_ && o.is_due) {
    checkpoints.is_due = [&o, this](const CenterView& c) { return o.is_due(c, seconds()); };
  }
  if (deposits_ && o.add) {
    checkpoints.add = [&o, this](Checkpoint& checkpoint, const CenterView& c) {
      o.add(checkpoint, c, seconds());
    };
  }
  if (deposits_ && o.pauses) {
    checkpoints.pauses = [&o, this](const CenterView& c) {
      if (!o.pauses(c, c.seconds.value_or(seconds()))) return false;
      request_stop();
      return true;
    };
  }
  return checkpoints;
}

std::optional<Checkpoint> Team::take_checkpoint() {
  return deposits_ ? deposits_->take() : std::nullopt;
}

std::optional<Checkpoint> Team::take_last_checkpoint() {
  return deposits_ ? deposits_->take_last() : std::nullopt;
}

/// The body of the master's thread.
void Team::run_master() {
  name_thread("master");
  try {
    master_ = std::make_unique<Master>(master_options(), bell_);
  } catch (...) {
    making_error_.record();
  }
  master_made_.count_down();
  start_.wait();
  try {
    if (started_all_) {
      master_->run(stop_.get_token());
    } else if (master_) {
      master_->release();
    }
  } catch (...) {
    master_error_.record();
  }
  ended_at_ = RunningClock::now();
  ended_ = true;
}

/// The body of a worker's thread.
void Team::run_worker(std::size_t index) {
  name_thread("worker " + std::to_string(index));
  Mailbox& mailbox = *mailboxes_[index];
  bool made = false;
  try {
    Worker worker({.index = index,
                   .parts = options_.workers[index],
                   .algorithm = *options_.algorithm,
                   .rules = {.workers = workers(), .own = options_.own},
                   .schedule = *options_.schedule,
                   .state0 = options_.state0,
                   .statistics = options_.statistics.count,
                   .deposits = deposits_.get(),
                   .resumed = options_.checkpoints.resumed},
                  mailbox, *telemetry_[index]);
    made = true;
    workers_made_.count_down();
    start_.wait();
    worker.run(stop_.get_token());
  } catch (const Bug&) {  // no run goes on with one
    bug_.record();
    request_stop();
    report_failure(index, made);
  } catch (...) {
    report_failure(index, made);
  }
  if (!made) {
    mailbox.leave();
    workers_made_.count_down();
  }
}

/// In a catch block of the worker's thread.
void Team::report_failure(std::size_t worker, bool made) {
  telemetry_[worker]->phase = Phase::ended;
  (made ? worker_error_ : making_error_).record();
  ++failed_;
  if (deposits_) deposits_->lose(worker);
  if (options_.stop_on_failure) request_stop();
  try {
    if (made && options_.on_failure)
      options_.on_failure(int(worker), failure_of(std::current_exception()).message);
  } catch (...) {  // join() and failed() still know of the failure
  }
}

double Team::seconds() const {
  const auto now = ended_ ? ended_at_ : RunningClock::now();
  return options_.checkpoints.seconds + std::chrono::duration<double>(now - started_).count();
}

void Team::join() {
  for (std::thread& thread : worker_threads_) thread.join();
  worker_threads_.clear();
  if (master_thread_.joinable()) master_thread_.join();
  master_error_.rethrow_if_any();
  bug_.rethrow_if_any();
  if (failed_ == workers() || options_.stop_on_failure) worker_error_.rethrow_if_any();
}

}  // namespace easgd
