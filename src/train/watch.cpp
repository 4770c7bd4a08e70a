#include "train/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/running_clock.h"
#include "exchange/team_totals.h"
#include "exchange/watchdog.h"

namespace easgd {
namespace {

constexpr auto kLook = std::chrono::milliseconds(50);
constexpr std::chrono::duration<double> kStandsStill{4};  // while the run is to end

/// The share of the run that is over, if its length is known.
std::optional<double> fraction_of(const Watched& w, double steps, double seconds) {
  std::optional<double> fraction;
  if (w.schedule.steps(0) != WorkerSchedule::kEndless) {
    double planned = 0;
    for (std::size_t i = 0; i < w.team.workers(); ++i) planned += double(w.schedule.steps(i));
    fraction = steps / planned;
  }
  if (w.config.stop.seconds)
    fraction = std::max(fraction.value_or(0), seconds / *w.config.stop.seconds);
  if (fraction) fraction = std::min(1.0, *fraction);
  return fraction;
}

WorkerState state_of(const Team& team, std::size_t worker) {
  const WorkerTelemetry& t = team.telemetry(worker);
  return {.counts = {.worker = worker,
                     .steps = t.clock,
                     .data_seconds = t.data_seconds,
                     .gradient_seconds = t.gradient_seconds,
                     .exchange_seconds = t.exchange_seconds,
                     .exchanges = t.exchanges,
                     .refused = t.refused,
                     .staleness = t.staleness,
                     .distance = t.distance,
                     .train_loss = t.loss,
                     .learning_rate = t.learning_rate},
          .phase = t.phase};
}

ProgressState progress_of(const Watched& w) {
  ProgressState state{.seconds = w.team.seconds(), .center = w.evaluations.center()};
  const TeamTotals totals = totals_of(w.team);
  const double images = double(totals.all_steps) * double(w.config.workers.batch);
  state.fraction = fraction_of(w, double(totals.all_steps), state.seconds);
  state.epoch = images / double(w.train_size);
  state.images_per_second = images / state.seconds;
  state.version = totals.exchanges;
  for (std::size_t i = 0; i < w.team.workers(); ++i) state.workers.push_back(state_of(w.team, i));
  return state;
}

/// The run has come to the end that its configuration gives it. A replay ends where the recorded
/// run did.
bool is_over(const Watched& w) {
  if (w.config.center.order == OrderKind::replay) return false;
  return w.good_enough || (w.config.stop.seconds && w.team.seconds() >= *w.config.stop.seconds);
}

/// While its letter is out, a worker waits for others.
void give_up_stalled(const Watched& w, Watchdog& patience) {
  for (std::size_t i = 0; i < w.team.workers(); ++i) {
    if (w.team.is_waiting(i)) patience.begin_anew(i);
  }
  for (const Watchdog::Stall& stall : patience.look(w.team)) {
    w.team.give_up(stall.worker, stall.text, stall.life);
  }
}

/// Of a run that is to end, whoever stands still for long is not waited for: for longer than ten of
/// its steps take, if those are short.
void leave_behind_stalled(const Watched& w, const std::vector<Watchdog::Stall>& stalls,
                          bool however_long_steps_are) {
  for (const Watchdog::Stall& stall : stalls) {
    const WorkerTelemetry& t = *stall.life;
    const double step = t.clock > 0 ? (t.data_seconds + t.gradient_seconds) / double(t.clock)
                                    : kStandsStill.count();
    const bool is_long = 10 * step > kStandsStill.count();
    if (is_long && !however_long_steps_are) continue;
    w.team.leave_behind(stall.worker, stall.text, stall.life);
  }
}

/// In free order others go on, and so do their checkpoints.
void note_still(const Watched& w, const std::vector<Watchdog::Stall>& stalls) {
  if (!w.config.is_order_free()) return;
  for (std::size_t i = 0; i < w.team.workers(); ++i) {
    w.team.note_still(i, std::ranges::count(stalls, i, &Watchdog::Stall::worker) > 0);
  }
}

void hand_on_checkpoint(const Watched& w) {
  if (w.keeper.is_busy()) return;
  if (auto checkpoint = w.team.take_checkpoint()) w.keeper.keep(std::move(*checkpoint));
}

}  // namespace

void watch(const Watched& w, Journal& journal, RunClient& client) {
  Watchdog watchdog, patience(w.config.workers.patience), at_end(kStandsStill.count());
  const bool loses_patience =
      w.config.workers.patience > 0 && w.config.center.order != OrderKind::replay;
  bool heard = false;
  std::optional<RunningClock::time_point> told;  // to end
  if (is_over(w)) w.team.request_stop();         // a run that goes on may have been good enough
  while (!w.team.ends_within(kLook)) {
    const bool cut_short = w.hurry.has_begun();
    if (cut_short && !std::exchange(heard, true)) client.heard_end();
    if (cut_short || is_over(w) || w.evaluator.failed()) {
      w.team.request_stop();
    }
    if (!told && w.team.is_to_stop()) told = RunningClock::now();
    if (!cut_short) hand_on_checkpoint(w);  // else one comes after which nobody needs it
    const ProgressState state = progress_of(w);
    client.show(state);
    journal.log_progress(state);
    const auto stalls = watchdog.look(w.team);
    for (const Watchdog::Stall& stall : stalls) {
      if (stall.is_new) journal.warn(fmt::format("worker {} {}", stall.worker, stall.text));
    }
    note_still(w, stalls);
    if (loses_patience) give_up_stalled(w, patience);
    const auto still = at_end.look(w.team);
    if (told && RunningClock::now() - *told > Hurry::kMost) {
      leave_behind_stalled(w, still, false);
      leave_behind_stalled(w, stalls, true);
    }
    journal.warn_of_refusals(w.team);
  }
  client.end();
  journal.log_progress_now(progress_of(w));
}

}  // namespace easgd
