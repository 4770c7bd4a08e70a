// How a worker is laid down in a checkpoint, and taken up again.
#include <fmt/format.h>

#include "base/error.h"
#include "exchange/worker.h"

namespace easgd {
namespace {

// Names beside those of the rule, which have no dot.
constexpr const char* kStatistics = "worker.statistics";
constexpr const char* kClock = "worker.clock";
constexpr const char* kNextExchange = "worker.next_exchange";
constexpr const char* kStage = "worker.stage";
constexpr const char* kSamples = "worker.samples";
constexpr const char* kHits = "worker.hits";
constexpr const char* kLoss = "worker.loss";
constexpr const char* kSeconds = "worker.seconds";  // data, gradient, exchange, all

}  // namespace

SavedState Worker::replica(const Moment& moment) {
  const auto download = [this](ConstView from, View to) { backend_->download(from, to); };
  StateSaver saver(download);
  rule_->describe(saver);
  SavedState& saved = saver.saved;
  std::vector<float>& statistics = saved.vectors[kStatistics];
  statistics.resize(moment.statistics.size());
  download(moment.statistics, statistics);
  saved.counters[kClock] = {clock_};
  saved.counters[kNextExchange] = {moment.next_exchange};
  saved.counters[kStage] = {std::uint64_t(moment.stage)};
  saved.counters[kSamples] = {std::uint64_t(moment.tally.samples)};
  saved.counters[kHits] = {std::uint64_t(moment.tally.hits)};
  saved.numbers[kLoss] = {moment.tally.loss};
  saved.numbers[kSeconds] = {telemetry_.data_seconds, telemetry_.gradient_seconds,
                             telemetry_.exchange_seconds, telemetry_.run_seconds};
  return std::move(saved);
}

/// The training loss that no letter has carried yet.
Tally Worker::tally_so_far() {
  backend_->finish();
  const Tally tally = model_->take_tally();
  model_->give_back(tally);
  return tally;
}

/// As it was when it posted the letter that has been answered now: the rule is still as it was
/// then. Where the gradient has come since, it has moved the statistics and the tally.
void Worker::lay_down_as_posted() {
  mark_ = mailbox_.mark();
  const bool is_step = stage_ == Stage::step;
  const bool had_gradient = is_step && algorithm_.timing == Timing::overlapped;
  const LetterNote& note = mailbox_.note();
  deposits_->lay_down(index_, mark_,
                      replica({.stage = stage_,
                               .next_exchange = is_step ? clock_ : next_exchange_,
                               .tally = note.pull ? tally_so_far() : note.tally,
                               .statistics = had_gradient ? posted_ : statistics_}));
}

/// For good. Whoever is turned away has a letter that belongs to no center, and does not.
void Worker::leave(Stage stage) {
  if (!deposits_ || closed_) return;
  deposits_->leave(index_, replica({.stage = stage,
                                    .next_exchange = next_exchange_,
                                    .tally = tally_so_far(),
                                    .statistics = statistics_}));
}

void Worker::go_on(const Checkpoint& from) {
  const std::uint64_t absorbed = from.get("center").counters.at("steps").at(index_);
  const SavedState* replica = from.worker(index_);
  if (!replica) return go_on_from_center(from);
  go_on_from(*replica);
  if (clock_ >= absorbed) return;
  throw DataError(fmt::format(
      "\"worker.clock\": expected {} or more, which the center has, found {}", absorbed, clock_));
}

void Worker::go_on_from(const SavedState& saved) {
  const auto upload = [this](ConstView host, View device) { backend_->upload(host, device); };
  StateLoader loader(saved, upload);
  rule_->describe(loader);
  upload(saved.vector(kStatistics, statistics_.size()), statistics_);
  clock_ = saved.counter(kClock);
  next_exchange_ = saved.counter(kNextExchange);
  const std::uint64_t stage = saved.counter(kStage);
  if (stage > std::uint64_t(Stage::nothing)) {
    throw DataError("\"worker.stage\": expected 0 to 3, found " + std::to_string(stage));
  }
  stage_ = Stage(stage);
  if (clock_ < steps_ && stage_ > Stage::push) stage_ = Stage::step;  // the run is longer now
  check_next_exchange();
  model_->give_back({.loss = saved.number(kLoss),
                     .hits = std::int64_t(saved.counter(kHits)),
                     .samples = std::int64_t(saved.counter(kSamples))});
  const std::vector<double>& seconds = saved.list(kSeconds, 4);
  telemetry_.clock = clock_;
  telemetry_.data_seconds = seconds[0];
  telemetry_.gradient_seconds = seconds[1];
  telemetry_.exchange_seconds = stalls_before_ = seconds[2];
  telemetry_.run_seconds = seconds[3];
}

/// Throws: DataError if it would miss its next exchange.
void Worker::check_next_exchange() const {
  const std::uint64_t first = clock_ + (stage_ == Stage::push ? 1 : 0);
  const bool is_late = algorithm_.every_step && stage_ <= Stage::push && next_exchange_ > first;
  if (next_exchange_ >= first && !is_late) return;
  throw DataError(fmt::format("\"worker.next_exchange\": expected {}{}, found {}", first,
                              algorithm_.every_step ? "" : " or more", next_exchange_));
}

/// Of a worker that had failed: with no memory, at the step of its last letter.
void Worker::go_on_from_center(const Checkpoint& from) {
  const SavedState& center = from.get("center");
  backend_->upload(center.vector("center", gradient_.size()), gradient_);
  rule_->restart(gradient_);
  backend_->upload(center.vector("statistics", statistics_.size()), statistics_);
  const auto& steps = center.counters.at("steps");
  clock_ = next_exchange_ = steps.at(index_);
  telemetry_.clock = clock_;
}

}  // namespace easgd
