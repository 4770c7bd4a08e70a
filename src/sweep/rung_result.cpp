#include "sweep/rung_result.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/unreadable.h"

namespace easgd {
namespace {

using Gone = std::map<std::uint64_t, std::uint64_t>;  // since which version, by the worker

/// Nothing of what is of no use here: most lines are of progress.
std::optional<Event> event_in(const std::string& line) {
  const auto names = [&line](const char* kind) { return line.find(kind) != line.npos; };
  if (!names("\"evaluation\"") && !names("\"failure\"")) return std::nullopt;
  try {
    return event_of(nlohmann::json::parse(line));
  } catch (const nlohmann::json::exception&) {
  } catch (const DataError&) {
  }
  return std::nullopt;
}

/// If all are gone, all count.
void leave_out(const Gone& gone, EvaluationEvent& evaluation) {
  std::vector<std::uint64_t> left;
  for (std::size_t i = 0; i < evaluation.steps.size(); ++i) {
    const auto found = gone.find(i);
    if (found == gone.end() || evaluation.version < found->second) {
      left.push_back(evaluation.steps[i]);
    }
  }
  if (!left.empty()) evaluation.steps = std::move(left);
}

}  // namespace

std::vector<EvaluationEvent> evaluations_in(const std::filesystem::path& run_folder) {
  std::vector<EvaluationEvent> evaluations;
  Gone gone;
  const std::filesystem::path metrics = run_folder / "metrics.jsonl";
  if (!why_unreadable(metrics, kLongestLog).empty()) return evaluations;
  std::ifstream lines(metrics, std::ios::binary);
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    const std::optional<Event> event = event_in(line);
    if (!event) continue;
    if (const auto* evaluation = std::get_if<EvaluationEvent>(&*event)) {
      evaluations.push_back(*evaluation);
    }
    const auto* failure = std::get_if<FailureEvent>(&*event);
    if (failure && failure->then == "gone") gone[failure->worker] = failure->version;
  }
  for (EvaluationEvent& evaluation : evaluations) leave_out(gone, evaluation);
  return evaluations;
}

std::optional<RungResult> result_at(const PausePoint& rung,
                                    std::span<const EvaluationEvent> evaluations) {
  const auto found = std::ranges::find_if(
      evaluations, [&rung](const EvaluationEvent& e) { return rung.is_reached(e.epoch, e.steps); });
  if (found == evaluations.end()) return std::nullopt;
  return RungResult{.test_error = found->test_error,
                    .test_loss = found->test_loss,
                    .train_loss = found->train_loss};
}

}  // namespace easgd
