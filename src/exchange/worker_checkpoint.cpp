// How a worker is laid down in a checkpoint, and taken up again.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"
#include "exchange/saved_tally.h"
#include "exchange/worker.h"

namespace easgd {
namespace {

// Names beside those of the rule, which have no dot.
constexpr const char* kStatistics = "worker.statistics";
constexpr const char* kClock = "worker.clock";
constexpr const char* kNextExchange = "worker.next_exchange";
constexpr const char* kStage = "worker.stage";
constexpr const char* kTally = "worker.";
constexpr const char* kSeconds = "worker.seconds";  // data, gradient, exchange, all
// Instead of a replica: the clock of one that is gone; or the life that one begins next.
constexpr const char* kGone = "worker.gone";
constexpr const char* kBegins = "worker.begins";
// Of a life after a failure: with which step it began, and how many before it were in vain.
constexpr const char* kLife = "worker.life";
// Of the life, whichever: lives before it that a replay has repeated, visits, refused in a row, has
// begun, has stepped. Earlier programs have none of that.
constexpr const char* kVisits = "worker.visits";

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
  save_tally(saved, kTally, moment.tally);
  if (RateCuts cuts = moment.cuts; cuts.is_on()) cuts.describe(saver);
  if (running_) running_->count();
  saved.numbers[kSeconds] = {telemetry_.data_seconds, telemetry_.gradient_seconds,
                             telemetry_.exchange_seconds, telemetry_.run_seconds};
  if (life_) saved.counters[kLife] = {life_->step, life_->in_vain};
  saved.counters[kVisits] = {lives_over_, visits_, refused_in_row_, has_begun_, moment.has_stepped};
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
  const bool has_letter = mailbox_.note().visit == Visit::letter;
  deposits_->lay_down(depositor_, mark_,
                      replica({.stage = stage_,
                               .next_exchange = is_step ? clock_ : next_exchange_,
                               .tally = has_letter ? mailbox_.note().tally : tally_so_far(),
                               .cuts = has_letter ? posted_cuts_ : cuts_,
                               .statistics = had_gradient ? posted_ : statistics_,
                               .has_stepped = letter_has_steps_}));
}

/// After a failure before the reply was looked at, if the device still answers.
void Worker::lay_down_if_owed() {
  const bool is_owed =
      deposits_ && mailbox_.state() == Mailbox::State::answered && mailbox_.mark() > mark_;
  if (!is_owed) return;
  try {
    lay_down_as_posted();
  } catch (const std::exception&) {  // the failure that brought us here, once more
  }
}

/// For good. Whoever is turned away has a letter that belongs to no center, and does not.
void Worker::leave(Stage stage) {
  if (!deposits_ || closed_) return;
  deposits_->leave(depositor_, replica({.stage = stage,
                                        .next_exchange = next_exchange_,
                                        .tally = tally_so_far(),
                                        .cuts = cuts_,
                                        .statistics = statistics_,
                                        .has_stepped = has_stepped_}));
}

/// A worker that left no replica begins again from the center: with the step in which it had
/// failed, or, if nothing says which, with that of its last letter.
void Worker::go_on(const Checkpoint& from) {
  const std::uint64_t absorbed = from.get("center").counters.at("steps").at(index_);
  const SavedState* saved = from.worker(index_);
  if (saved && saved->counters.contains(kClock)) {
    go_on_from(*saved);
  } else {
    begin_at(life_->step);
  }
  const bool may_repeat_a_step = life_ || lives_over_ > 0;
  if (clock_ + may_repeat_a_step >= absorbed && double(clock_) <= kMostSteps) return;
  throw DataError(fmt::format(
      "\"worker.clock\": expected {} or more, which the center has, found {}", absorbed, clock_));
}

void Worker::go_on_from(const SavedState& saved) {
  const auto upload = [this](ConstView host, View device) { backend_->upload(host, device); };
  StateLoader loader(saved, upload);
  rule_->describe(loader);
  if (cuts_.is_on()) cuts_.describe(loader);
  upload(saved.vector(kStatistics, statistics_.size()), statistics_);
  clock_ = saved.counter(kClock);
  next_exchange_ = saved.counter(kNextExchange);
  const std::uint64_t stage = saved.counter(kStage);
  if (stage > std::uint64_t(Stage::begin)) {
    throw DataError("\"worker.stage\": expected 0 to 4, found " + std::to_string(stage));
  }
  stage_ = Stage(stage);
  const bool had_ended = stage_ == Stage::last_push || stage_ == Stage::nothing;
  if (clock_ < steps_ && had_ended) stage_ = Stage::step;  // the run is longer now
  if (saved.counters.contains(kVisits)) {
    const std::vector<std::uint64_t>& visits = saved.counts(kVisits, 5);
    lives_over_ = std::min<std::uint64_t>(visits[0], lives_.size());
    visits_ = visits[1];
    refused_in_row_ = visits[2];
    has_begun_ = visits[3] != 0;
    has_stepped_ = visits[4] != 0;
  }
  check_next_exchange();
  model_->give_back(load_tally(saved, kTally));
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

SavedState Worker::left_for(const NewLife& next) {
  return {.counters = {{kBegins, {next.step, next.in_vain}}}};
}

SavedState Worker::left_by_gone(std::uint64_t clock) {
  return {.counters = {{kGone, {clock}}}};
}

std::optional<std::uint64_t> Worker::gone_at(const Checkpoint& checkpoint, std::size_t worker) {
  const SavedState* saved = checkpoint.worker(worker);
  if (!saved || !saved->counters.contains(kGone)) return std::nullopt;
  return saved->counter(kGone);
}

bool Worker::were_all_gone(const Checkpoint& checkpoint, std::size_t workers) {
  for (std::size_t i = 0; i < workers; ++i) {
    if (!gone_at(checkpoint, i)) return false;
  }
  return true;
}

bool Worker::begins_in(const Checkpoint& checkpoint, std::size_t worker) {
  const SavedState* saved = checkpoint.worker(worker);
  if (!saved || !saved->counters.contains(kClock)) return true;
  return saved->counter(kStage) == std::uint64_t(Stage::begin);
}

std::optional<NewLife> Worker::life_in(const Checkpoint& checkpoint, std::size_t worker) {
  const SavedState* saved = checkpoint.worker(worker);
  if (!saved || gone_at(checkpoint, worker)) {
    return NewLife{checkpoint.get("center").counters.at("steps").at(worker), 0};
  }
  for (const char* key : {kLife, kBegins}) {
    if (!saved->counters.contains(key)) continue;
    const std::vector<std::uint64_t>& life = saved->counts(key, 2);
    return NewLife{life[0], life[1]};
  }
  if (!saved->counters.contains(kClock)) throw DataError("holds a worker that is no replica");
  return std::nullopt;
}

}  // namespace easgd
