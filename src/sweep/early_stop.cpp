#include "sweep/early_stop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace easgd {
namespace {

using config::Value;

constexpr const char* kForm =
    R"({method = "halving", eta = 3, first = {epochs = 1}, metric = "test_error"})";
constexpr double kHighestEta = 1000;

[[noreturn]] void fail(const Value& place, const std::string& expected, const std::string& found) {
  throw ConfigError(fmt::format("{}: early_stop: expected {}; found {}, as in early_stop = {}",
                                place.location(), expected, found, kForm));
}

void check_keys(const Value& table) {
  for (const auto& [key, value] : table.members) {
    constexpr const char* kKeys[] = {"method", "eta", "first", "metric"};
    if (std::ranges::none_of(kKeys, [&key = key](const char* known) { return key == known; })) {
      fail(value, "method, eta, first or metric", key);
    }
  }
}

std::size_t eta_of(const Value& value) {
  if (!value.is_integer || *value.number < 2 || *value.number > kHighestEta) {
    fail(value, fmt::format("an integer eta in 2..{}", kHighestEta), value.toml);
  }
  return std::size_t(*value.number);
}

PausePoint first_of(const Value& value) {
  constexpr const char* kExpected = "first = {epochs = <number>} or {steps = <integer>}, above 0";
  if (value.members.size() != 1) fail(value, kExpected, value.toml);
  const auto& [key, number] = value.members[0];
  const auto unit = config::find_named<PauseUnit>(key);
  const bool fits = unit && number.number && std::isfinite(*number.number) && *number.number > 0 &&
                    (*unit == PauseUnit::epochs || number.is_integer);
  if (!fits) fail(value, kExpected, value.toml);
  return {*unit, *number.number};
}

RungMetric metric_of(const Value& value) {
  const auto metric = config::find_named<RungMetric>(value.text);
  if (!metric) fail(value, "the metric test_error, test_loss or train_loss", value.toml);
  return *metric;
}

}  // namespace

double value_of(const RungResult& result, RungMetric metric) {
  if (!std::isfinite(result.test_loss)) return HUGE_VAL;
  switch (metric) {
    case RungMetric::test_error:
      return result.test_error;
    case RungMetric::test_loss:
      return result.test_loss;
    case RungMetric::train_loss:
      break;
  }
  return result.train_loss;
}

std::string text_of(const RungResult& result, RungMetric metric) {
  const std::string error = fmt::format("error {:.2f} %", 100 * result.test_error);
  if (metric == RungMetric::test_error) return error;
  return fmt::format("{} {:.4g}, {}", config::name_of(metric), value_of(result, metric), error);
}

EarlyStop early_stop_of(const Value& value) {
  if (value.kind != Value::Kind::table) fail(value, "a table", value.toml);
  check_keys(value);
  EarlyStop stop;
  stop.location = value.location();
  const Value* method = value.member("method");
  if (method && method->text != "halving") fail(*method, "method = \"halving\"", method->toml);
  if (const Value* eta = value.member("eta")) stop.eta = eta_of(*eta);
  const Value* first = value.member("first");
  if (!first) fail(value, "first, where runs are compared for the first time", value.toml);
  stop.first = first_of(*first);
  if (const Value* metric = value.member("metric")) stop.metric = metric_of(*metric);
  return stop;
}

}  // namespace easgd
