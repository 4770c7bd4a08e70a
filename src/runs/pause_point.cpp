#include "runs/pause_point.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace easgd {

std::string PausePoint::text() const {
  return fmt::format("{}={:.10g}", config::name_of(unit), value);
}

bool PausePoint::is_reached(double epoch, std::span<const std::uint64_t> steps) const {
  if (unit == PauseUnit::epochs) return epoch >= value;
  const double all = std::accumulate(steps.begin(), steps.end(), 0.0);
  return all >= value * double(steps.size());
}

PausePoint pause_point_of(const std::string& text) {
  const std::size_t sign = text.find('=');
  const auto unit = config::find_named<PauseUnit>(text.substr(0, sign));
  PausePoint point;
  const char* const end = text.data() + text.size();
  const char* const begin = sign == text.npos ? end : text.data() + sign + 1;
  const auto [stopped, error] = std::from_chars(begin, end, point.value);
  const bool is_number = error == std::errc() && stopped == end && std::isfinite(point.value);
  const bool is_step = point.value == std::floor(point.value) || unit != PauseUnit::steps;
  if (!unit || !is_number || point.value <= 0 || !is_step) {
    throw ConfigError(fmt::format(
        "expected epochs=<number> or steps=<integer>, above 0, as in epochs=3; found {}", text));
  }
  point.unit = *unit;
  return point;
}

}  // namespace easgd
