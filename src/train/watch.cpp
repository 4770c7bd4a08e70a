#include "train/watch.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "exchange/team_totals.h"
#include "exchange/watchdog.h"

namespace easgd {
namespace {

constexpr auto kLook = std::chrono::milliseconds(50);

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

ProgressState progress_of(const Watched& w) {
  const double seconds = w.team.seconds();
  const auto steps = double(totals_of(w.team).all_steps);
  const double images = steps * double(w.config.workers.batch);
  return {fraction_of(w, steps, seconds), seconds, images / double(w.train_size), images / seconds};
}

/// The run has come to the end that its configuration gives it. A replay ends where the recorded
/// run did.
bool is_over(const Watched& w) {
  if (w.config.center.order == OrderKind::replay) return false;
  return w.good_enough || (w.config.stop.seconds && w.team.seconds() >= *w.config.stop.seconds);
}

}  // namespace

void watch(const Watched& w, std::atomic<bool>& ending, Journal& journal, RunClient& client) {
  Watchdog watchdog;
  while (!w.team.ended()) {
    std::this_thread::sleep_for(kLook);
    const bool cut_short = client.wants_end();
    if (cut_short && !ending) client.heard_end();
    if (cut_short || is_over(w) || w.evaluator.failed()) {
      ending = true;
      w.team.request_stop();
    }
    const ProgressState state = progress_of(w);
    client.show(state);
    journal.log_progress(state, w.team);
    for (const std::string& complaint : watchdog.look(w.team)) journal.warn(complaint);
    journal.warn_of_refusals(w.team);
  }
  client.end();
}

}  // namespace easgd
