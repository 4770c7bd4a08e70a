#include "exchange/team.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/failure.h"
#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd {
Team::Team(TeamOptions options)
    : options_(std::move(options)),
      lives_(options_.workers.size()),
      deposits_(options_.checkpoints.wanted ? std::make_unique<Deposits>(options_.workers.size())
                                            : nullptr),
      workers_made_(std::ptrdiff_t(options_.workers.size())),
      is_gone_(options_.workers.size()),
      is_still_(options_.workers.size()),
      were_all_gone_(
          options_.checkpoints.resumed &&
          Worker::were_all_gone(*options_.checkpoints.resumed, options_.workers.size())) {}

Team::~Team() {
  request_stop();
  if (!started_all_) {
    for (std::size_t i = 0; i < workers(); ++i) {
      Life& life = lives_.current(i);
      life.mailbox.close();  // nobody will answer
      if (!life.thread.joinable()) life.mailbox.leave();
    }
    start_.count_down();
  }
  lives_.join_strays();
  if (master_thread_.joinable()) master_thread_.join();
}

void Team::start(const std::function<void()>& before_they_run) {
  master_thread_ = start_thread("the master", [this] { run_master(); });
  master_made_.wait();
  making_error_.rethrow_if_any();
  for (std::size_t i = 0; i < workers(); ++i) start(lives_.current(i));
  workers_made_.wait();
  try {
    if (!making_error_.get()) before_they_run();
  } catch (...) {
    making_error_.record();
  }
  if (making_error_.get()) {
    request_stop();
  } else {
    restarts_ = restarts_before();
  }
  started_ = RunningClock::now();
  started_all_ = true;
  start_.count_down();
  making_error_.rethrow_if_any();
}

/// Throws: DeviceError if the system has no thread left.
void Team::start(Life& life) {
  life.thread = start_thread(fmt::format("worker {} of {}", life.worker, workers()),
                             [this, &life] { live(life); });
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
                       .on_begin = {},
                       .on_loss = options_.on_loss,
                       .on_version = {},
                       .checkpoints = master_checkpoints()};
  if (options_.on_version) {
    master.on_version = [this](const CenterView& center) {
      return options_.on_version(center, center.seconds.value_or(seconds()));
    };
  }
  master.on_begin = [this](const Beginning& beginning) {
    if (options_.on_begin) options_.on_begin(beginning, seconds());
  };
  for (std::size_t i = 0; i < workers(); ++i) {
    master.members.push_back(lives_.current(i).member);
  }
  return master;
}

Checkpoints Team::master_checkpoints() {
  const TeamOptions::Checkpoints& o = options_.checkpoints;
  Checkpoints checkpoints{.deposits = deposits_.get(), .resumed = o.resumed};
  if (deposits_ && o.is_due) {
    checkpoints.is_due = [&o, this](const CenterView& c) { return o.is_due(c, seconds()); };
  }
  checkpoints.is_still = [this](std::size_t worker) { return is_still_[worker].load(); };
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
    master_ = std::make_unique<Master>(master_options(), lives_.bell());
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
  {
    const std::lock_guard lock(end_);
    ended_ = true;
  }
  end_came_.notify_all();
}

bool Team::ends_within(std::chrono::milliseconds time) const {
  std::unique_lock lock(end_);
  return end_came_.wait_for(lock, time, [this] { return ended(); });
}

double Team::seconds() const {
  const auto now = ended_ ? ended_at_ : RunningClock::now();
  return options_.checkpoints.seconds + std::chrono::duration<double>(now - started_).count();
}

void Team::join() {
  lives_.join();
  if (master_thread_.joinable()) master_thread_.join();
  master_error_.rethrow_if_any();
  bug_.rethrow_if_any();
  if (failed_ == workers() || stops_at_failure()) worker_error_.rethrow_if_any();
}

Recording Team::recording() const {
  Recording recording{.letters = master_->order(), .steps = {}, .incidents = master_->incidents()};
  for (std::size_t i = 0; i < workers(); ++i) recording.steps.push_back(telemetry(i).clock);
  std::vector<Incident> all_gone = gone_;
  std::ranges::sort(all_gone, {}, &Incident::worker);
  for (Incident gone : all_gone) {
    gone.at = recording.letters.size();
    recording.steps[gone.worker] = gone.clock;
    recording.incidents.push_back(gone);
  }
  return recording;
}

}  // namespace easgd
