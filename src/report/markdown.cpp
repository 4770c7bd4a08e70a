#include "report/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/one_line.h"
#include "report/comparison.h"

namespace easgd::report {
namespace {

/// A cell of a table must not hold what divides cells or rows.
std::string cell(const std::string& text) {
  std::string safe;
  for (const char c : in_one_line(text)) safe += c == '|' ? std::string("\\|") : std::string(1, c);
  return safe;
}

/// With all that it takes to repeat it.
std::string name_of(const Group& group) {
  return cell(group.label + (group.unnamed.empty() ? "" : " (" + group.unnamed + ")"));
}

std::string percent(const Spread& s) {
  if (s.count == 0) return "-";
  if (s.count == 1) return fmt::format("{:.2f} %", 100 * s.mean);
  return fmt::format("{:.2f} ± {:.2f} %", 100 * s.mean, 100 * s.deviation);
}

std::string difference(const Comparison& c) {
  if (c.verdict == Verdict::best || c.pairs == 0) return "";
  if (!c.interval) return fmt::format("{:+.2f}", 100 * c.difference);
  return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", 100 * c.difference, 100 * c.interval->low,
                     100 * c.interval->high);
}

std::optional<double> training_seconds(const ReportedRun& run) {
  if (!run.summary) return std::nullopt;
  return run.summary->virtual_seconds.value_or(run.summary->wall_seconds);
}

std::string seconds(const Study& study, const Group& group) {
  const std::vector<double> values = values_of(by_seed(study, group, training_seconds));
  bool is_virtual = false;
  for (const std::size_t i : group.runs) {
    is_virtual |= study.runs[i].summary && study.runs[i].summary->virtual_seconds;
  }
  if (values.empty()) return "-";
  return fmt::format("{:.4g} {}s", spread_of(values).mean, is_virtual ? "virtual " : "");
}

std::string runs_left_out(const Study& study) {
  const auto left =
      std::ranges::count_if(study.runs, [](const auto& r) { return !r.is_complete(); });
  if (left == 0) return {};
  return fmt::format(" {} of {} runs are not finished and left out.", left, study.runs.size());
}

}  // namespace

std::string markdown_of(const Study& study) {
  const std::vector<Comparison> all = compare(study, test_error);
  std::vector<std::size_t> order;
  for (std::size_t g = 0; g < all.size(); ++g) {
    if (all[g].verdict != Verdict::none) order.push_back(g);
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t g) { return all[g].spread.mean; });
  std::string text =
      "| runs | seeds | test error | difference to the lowest, points | | training |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  for (const std::size_t g : order) {
    const Comparison& c = all[g];
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", name_of(study.groups[g]),
                        c.spread.count, percent(c.spread), difference(c), words_of(c.verdict),
                        seconds(study, study.groups[g]));
  }
  return text +
         "\nMean ± standard deviation over seeds; differences are paired by seed, with 95 % "
         "intervals (five pairs and more: bootstrap, else Student's t)." +
         runs_left_out(study) + "\n";
}

}  // namespace easgd::report
