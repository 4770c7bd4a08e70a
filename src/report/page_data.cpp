#include "report/page_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/version.h"
#include "report/comparison.h"
#include "report/curves.h"
#include "report/numbers.h"
#include "report/settings_table.h"
#include "report/speed_up.h"

namespace easgd::report {
namespace {

using nlohmann::json;

/// Points of all curves together, for which a page stays small enough to mail.
constexpr std::size_t kAllPoints = 40'000;
constexpr std::size_t kLeastPoints = 16, kMostPoints = 120;

std::string dumped(const json& object) {
  std::string text = object.dump(-1, ' ', false, json::error_handler_t::replace);
  return safe_in_script(text);
}

json interval_of(const std::optional<Interval>& interval) {
  return interval ? json{rounded(interval->low), rounded(interval->high)} : json();
}

json to_json(const Spread& s) {
  return {{"count", s.count},
          {"mean", rounded(s.mean)},
          {"deviation", rounded(s.deviation)},
          {"lower", rounded(s.lower)},
          {"upper", rounded(s.upper)},
          {"smallest", rounded(s.smallest)},
          {"largest", rounded(s.largest)}};
}

json to_json(const Comparison& c) {
  return {{"spread", to_json(c.spread)},
          {"pairs", c.pairs},
          {"difference", rounded(c.difference)},
          {"interval", interval_of(c.interval)},
          {"verdict", words_of(c.verdict)}};
}

json to_json(const SpeedRow& r) {
  return {{"method", r.method},
          {"workers", r.workers},
          {"virtual", r.is_virtual},
          {"group", r.group},
          {"reached", r.reached},
          {"of", r.of},
          {"seconds", to_json(r.seconds)},
          {"baseline", r.is_baseline},
          {"speed_up", r.speed_up ? json(rounded(*r.speed_up)) : json()},
          {"interval", interval_of(r.interval)}};
}

json to_json(const Environment& e) {
  return {{"program", e.program}, {"processor", e.processor}, {"cores", e.cores}, {"gpus", e.gpus}};
}

json axes_json(const Study& study) {
  json axes = json::array();
  for (const Axis& axis : study.axes) axes.push_back({{"key", axis.key}, {"values", axis.values}});
  return axes;
}

/// Shares of the workers' time.
json breakdown_json(const RunSummary& s) {
  const double waits = s.data_wait_fraction + s.exchange_wait_fraction;
  return {rounded(1 - waits), rounded(s.data_wait_fraction), rounded(s.exchange_wait_fraction)};
}

json run_json(const ReportedRun& run, const SettingsTable& settings) {
  json object = {{"folder", run.folder.string()},
                 {"identity", run.identity},
                 {"status", run.status},
                 {"seed", run.seed()},
                 {"settings", settings.changes_of(run)},
                 {"evaluations", run.evaluations.size()}};
  if (!run.notes.empty()) object["notes"] = run.notes;
  if (!run.adapted.empty()) object["adapted"] = run.adapted;
  if (!run.summary) return object;
  const RunSummary& s = *run.summary;
  object["workers"] = s.workers;
  object["test_error"] = rounded(s.test_error);
  object["best_test_error"] = rounded(s.best_test_error);
  object["test_loss"] = rounded(s.test_loss);
  object["train_loss"] = rounded(s.train_loss);
  object["epochs"] = rounded(s.epochs);
  object["wall_seconds"] = rounded(s.wall_seconds);
  if (s.virtual_seconds) object["virtual_seconds"] = rounded(*s.virtual_seconds);
  object["images_per_second"] = rounded(s.images_per_second);
  object["exchanges"] = s.exchanges;
  object["refused_letters"] = s.refused_letters;
  object["failed_workers"] = s.failed_workers;
  object["alpha"] = rounded(s.alpha);
  object["rho"] = rounded(s.rho);
  object["beta"] = rounded(s.beta);
  object["breakdown"] = breakdown_json(s);
  if (s.environment) object["environment"] = to_json(*s.environment);
  return object;
}

json runs_json(const Study& study, const SettingsTable& settings) {
  std::vector<json> group_of(study.runs.size());
  for (std::size_t g = 0; g < study.groups.size(); ++g) {
    for (const std::size_t i : study.groups[g].runs) group_of[i] = g;
  }
  json runs = json::array();
  for (std::size_t i = 0; i < study.runs.size(); ++i) {
    runs.push_back(run_json(study.runs[i], settings));
    runs.back()["group"] = group_of[i];
  }
  return runs;
}

json groups_json(const Study& study) {
  const std::vector<Comparison> last = compare(study, test_error);
  const std::vector<Comparison> best = compare(study, best_test_error);
  json groups = json::array();
  for (std::size_t g = 0; g < study.groups.size(); ++g) {
    const Group& group = study.groups[g];
    groups.push_back({{"label", group.label},
                      {"unnamed", group.unnamed},
                      {"values", group.values},
                      {"runs", group.runs},
                      {"test_error", to_json(last[g])},
                      {"best_test_error", to_json(best[g])}});
  }
  return groups;
}

json levels_json(const Study& study) {
  json levels = json::array();
  for (const SpeedLevel& level : speed_levels(study)) {
    json rows = json::array();
    for (const SpeedRow& row : level.rows) rows.push_back(to_json(row));
    levels.push_back({{"level", level.level}, {"rows", rows}});
  }
  return levels;
}

// Curves are written as text: they are most of the page. ---------------------------------------

template <class Item, class Text>
std::string list_of(const Item& items, const Text& text_of) {
  std::string text(1, '[');
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += text_of(item);
  }
  text += ']';
  return text;
}

std::string list(const std::vector<double>& values) {
  return list_of(values, short_number);
}

/// [base][figure] -> [x, mean, low, high], of one group.
std::string bands_text(const Group& group, const std::vector<Curve>& curves, std::size_t points) {
  std::vector<const Curve*> members;
  for (const std::size_t i : group.runs) {
    if (!curves[i][seconds].empty()) members.push_back(&curves[i]);
  }
  if (members.size() < 2) return "null";
  constexpr Column kX[] = {seconds, epochs, exchanges};
  constexpr Column kY[] = {test_error_column, test_loss, train_loss};
  return list_of(kX, [&](Column x) {
    return list_of(kY, [&](Column y) {
      const Band band = band_of(members, x, y, points);
      return list_of(std::array{band.x, band.mean, band.low, band.high}, list);
    });
  });
}

std::string curves_text(const Study& study) {
  const std::size_t runs = std::max<std::size_t>(study.runs.size(), 1);
  const std::size_t points = std::clamp(kAllPoints / runs, kLeastPoints, kMostPoints);
  std::vector<Curve> curves;
  for (const ReportedRun& run : study.runs) curves.push_back(curve_of(run, points));
  const std::string bands =
      list_of(study.groups, [&](const Group& group) { return bands_text(group, curves, points); });
  const std::string telemetry = list_of(study.runs, [&](const ReportedRun& run) {
    const Telemetry t = telemetry_of(run, points);
    return list_of(std::array{t.seconds, t.distance, t.staleness, t.rate}, list);
  });
  return fmt::format(R"({{"runs":{},"bands":{},"telemetry":{}}})",
                     list_of(curves, [](const Curve& c) { return list_of(c, list); }), bands,
                     telemetry);
}

}  // namespace

PageData page_data_of(const Study& study) {
  const SettingsTable settings(study.runs);
  const json object = {{"program", kVersion},
                       {"notes", study.notes},
                       {"axes", axes_json(study)},
                       {"settings", settings.common()},
                       {"runs", runs_json(study, settings)},
                       {"groups", groups_json(study)},
                       {"levels", levels_json(study)}};
  return {dumped(object), curves_text(study)};
}

}  // namespace easgd::report
