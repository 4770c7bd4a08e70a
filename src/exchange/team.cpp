#include "exchange/team.h"

#include <fmt/format.h>

#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd {
namespace {

template <class Item>
std::vector<Item*> pointers(const std::vector<std::unique_ptr<Item>>& owners) {
  std::vector<Item*> result;
  for (const auto& owner : owners) result.push_back(owner.get());
  return result;
}

template <class Item, class... Arguments>
std::vector<std::unique_ptr<Item>> make_each(std::size_t count, Arguments&... arguments) {
  std::vector<std::unique_ptr<Item>> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(std::make_unique<Item>(arguments...));
  return result;
}

CenterOptions for_workers(const TeamOptions& team) {
  CenterOptions result = team.center;
  result.workers = team.workers.size();
  return result;
}

}  // namespace

Team::Team(TeamOptions options)
    : options_(std::move(options)),
      telemetry_(make_each<WorkerTelemetry>(options_.workers.size())),
      mailboxes_(make_each<Mailbox>(options_.workers.size(), bell_)),
      made_(std::ptrdiff_t(options_.workers.size())) {}

Team::~Team() {
  request_stop();
  if (!gone_) {
    for (const auto& mailbox : mailboxes_) mailbox->close();  // nobody will answer
    go_.count_down();
  }
  for (std::thread& thread : threads_) thread.join();
  if (master_.joinable()) master_.join();
}

void Team::start() {
  master_ = start_thread("the master", [this] { lead(); });
  center_made_.wait();
  making_error_.rethrow_if_any();
  for (std::size_t i = 0; i < options_.workers.size(); ++i) {
    threads_.push_back(start_thread(fmt::format("worker {} of {}", i, options_.workers.size()),
                                    [this, i] { live(int(i)); }));
  }
  made_.wait();
  if (making_error_.get()) request_stop();
  started_ = RunningClock::now();
  gone_ = true;
  go_.count_down();
  making_error_.rethrow_if_any();
}

/// The master's whole life, on its own thread.
void Team::lead() {
  name_thread("master");
  try {
    center_ = std::make_unique<Center>(options_.place, options_.state0, options_.statistics,
                                       *options_.algorithm, for_workers(options_),
                                       std::move(options_.order), pointers(mailboxes_),
                                       pointers(telemetry_), bell_);
    if (options_.on_version) {
      center_->on_version = [this](const CenterView& center) {
        return options_.on_version(center, center.seconds.value_or(seconds()));
      };
    }
  } catch (...) {
    making_error_.record();
  }
  center_made_.count_down();
  go_.wait();
  try {
    if (gone_) center_->run(stop_.get_token());
  } catch (...) {
    master_error_.record();
  }
  ended_at_ = RunningClock::now();
  ended_ = true;
}

/// A worker's whole life, on its own thread.
void Team::live(int index) {
  name_thread("worker " + std::to_string(index));
  Mailbox& mailbox = *mailboxes_[std::size_t(index)];
  WorkerTelemetry& telemetry = *telemetry_[std::size_t(index)];
  bool made = false;
  try {
    Worker worker(index, options_.workers[std::size_t(index)], *options_.algorithm,
                  *options_.schedule, options_.state0, options_.statistics.count, mailbox,
                  telemetry);
    made = true;
    made_.count_down();
    go_.wait();
    worker.run(stop_.get_token());
  } catch (const std::exception& error) {
    telemetry.phase = Phase::ended;
    (made ? worker_error_ : making_error_).record();
    ++failed_;
    if (made && options_.on_failure) options_.on_failure(index, error.what());
    if (options_.stop_on_failure) request_stop();
  }
  if (!made) {
    mailbox.leave();
    made_.count_down();
  }
}

double Team::seconds() const {
  const auto now = ended_ ? ended_at_ : RunningClock::now();
  return std::chrono::duration<double>(now - started_).count();
}

void Team::join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (master_.joinable()) master_.join();
  master_error_.rethrow_if_any();
  if (failed_ == workers() || options_.stop_on_failure) worker_error_.rethrow_if_any();
}

}  // namespace easgd
