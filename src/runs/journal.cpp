#include "runs/journal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "algorithms/algorithm.h"
#include "base/standard_output.h"
#include "base/trace.h"
#include "runs/summary.h"

namespace easgd {
namespace {

using nlohmann::json;

std::string loss_text(const Tally& tally) {
  if (tally.samples == 0) return "-";
  const double loss = tally.mean_loss();
  if (!std::isfinite(loss)) return std::isnan(loss) ? "nan" : "inf";
  return loss < 1e4 ? fmt::format("{:.4f}", loss) : fmt::format("{:.1e}", loss);
}

}  // namespace

void Journal::announce(const Data& data, const Network& network,
                       const WorkerSchedule& schedule) const {
  const AlgorithmConfig& a = config_.algorithm;
  const Algorithm& algorithm = Registry<Algorithm>::get(a.name);
  Progress::line(fmt::format("{}: {} training and {} test images of {} classes ({})",
                             config_.data.set, data.train_size, data.test_size, network.classes(),
                             data.split.source));
  Progress::line(fmt::format("network: {} parameters, {:.4g} MFLOP a sample forward",
                             network.parameter_count(), network.forward_flops() / 1e6));
  Progress::line(fmt::format("workers: {}, batch {}, {} thread(s) each, {}",
                             fmt::join(config_.workers.devices, " "), config_.workers.batch,
                             config_.workers.threads, config_.workers.precision));
  if (config_.center.place != "pinned") {
    Progress::line(fmt::format("center: {}", config_.center.place));
  }
  if (algorithm.coupling != Coupling::none) {
    const ElasticRates& e = schedule.elastic();
    Progress::line(fmt::format("{}, {}: tau {}, alpha {:.6g}, beta {:.6g}, rho {:.6g}", a.name,
                               config::name_of(a.exchange), a.tau, e.alpha, e.beta, e.rho));
  } else {
    Progress::line(fmt::format("{}{}: tau {}", a.name,
                               algorithm.single ? "" : ", " + config::name_of(a.exchange), a.tau));
  }
}

void Journal::warn(const std::string& message) {
  Progress::line("warning: " + message);
  folder_.log({{"event", "warning"}, {"message", message}});
}

void Journal::warn_of_schedule(const WorkerSchedule& schedule) {
  const Algorithm& algorithm = Registry<Algorithm>::get(config_.algorithm.name);
  if (algorithm.elastic_region) {
    const auto warning = stability_warning(config_.algorithm, schedule.elastic());
    if (warning) warn(*warning);
  }
  const std::uint64_t tau = schedule.tau(0), steps = schedule.steps(0);
  const Steps profiled = schedule.profiled();
  if (profiled.first < profiled.last && !can_trace()) {
    warn("profile.steps: this program was built without NVTX, which profilers listen to");
  }
  if (profiled.first < profiled.last && profiled.first >= steps) {
    warn(fmt::format("profile.steps begins at {}, but a worker takes {} steps", profiled.first,
                     steps));
  }
  if (!algorithm.last_letter && tau >= steps) {
    const char* what = algorithm.timing == Timing::around
                           ? ""
                           : ", sent before the first: the center will not move";
    warn(fmt::format("tau {} leaves the center one letter of each worker, which takes {} step{}{}",
                     tau, steps, steps == 1 ? "" : "s", what));
  }
}

void Journal::warn_of_failure(int worker, const std::string& why) {
  Progress::line(fmt::format("warning: worker {} on {} failed: {}", worker,
                             config_.workers.devices[std::size_t(worker)], why));
  folder_.log({{"event", "warning"}, {"worker", worker}, {"message", why}});
}

void Journal::warn_of_refusals(const Team& team) {
  for (std::size_t i = 0; i < team.workers() && !refusals_told_; ++i) {
    if (team.telemetry(i).refused == 0) continue;
    warn(fmt::format(
        "a letter of worker {} was not finite, at about step {}: it is refused, and the "
        "worker starts again from the center (a lower learning rate?)",
        i, team.telemetry(i).clock.load()));
    refusals_told_ = true;
  }
}

void Journal::tell(const Evaluation& e, double epoch) {
  folder_.log({{"event", "evaluation"},
               {"time", e.seconds},
               {"version", e.version},
               {"steps", e.steps},
               {"epoch", epoch},
               {"train_loss", e.train.mean_loss()},
               {"test_loss", e.test.mean_loss()},
               {"test_error", e.test.error()}});
  Progress::line(
      fmt::format("{:6.1f} s | epoch {:5.2f} | train loss {} | test loss {} | error {:.2f} %",
                  e.seconds, epoch, loss_text(e.train), loss_text(e.test), 100 * e.test.error()));
}

void Journal::log_progress(const ProgressState& state, const Team& team) {
  if (state.seconds < next_progress_) return;
  next_progress_ = state.seconds + kProgressSeconds;
  const bool is_virtual =
      config_.center.order == OrderKind::virtual_time;  // "time" is that of evaluations
  folder_.log({{"event", "progress"},
               {is_virtual ? "wall_time" : "time", state.seconds},
               {"epoch", state.epoch},
               {"images_per_second", state.images_per_second},
               {"workers", telemetry_json(team)}});
}

void Journal::conclude(const json& summary) const {
  const json& in_virtual_time = summary["virtual_seconds"];
  std::string line = fmt::format(
      "{}: {} in {:.1f} s{}, {:.0f} images/s", config_.name, summary["status"].get<std::string>(),
      summary["wall_seconds"].get<double>(),
      in_virtual_time.is_null() ? ""
                                : fmt::format(" ({:.1f} virtual s)", in_virtual_time.get<double>()),
      summary["images_per_second"].get<double>());
  if (!summary["test_error"].is_null()) {
    line += fmt::format(", test error {:.2f} % (best {:.2f} %)",
                        100 * summary["test_error"].get<double>(),
                        100 * summary["best_test_error"].get<double>());
  }
  if (const auto refused = summary["refused_letters"].get<std::uint64_t>(); refused > 0) {
    line += fmt::format(", {} letter{} refused for not being finite (a lower learning rate?)",
                        refused, refused == 1 ? "" : "s");
  }
  if (const auto failed = summary["failed_workers"].get<std::uint64_t>(); failed > 0) {
    line +=
        fmt::format(", {} of {} workers failed", failed, summary["workers"].get<std::uint64_t>());
  }
  if (has_output())
    output("{}, {}\n", line, folder_.path().string());  // else it is in summary.json
}

}  // namespace easgd
