#include "backend/precision.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace easgd {

Precision parse_precision(const std::string& name, const std::string& device,
                          const std::vector<Precision>& known) {
  constexpr const char* kNames[] = {"f32", "tf32", "bf16"};
  std::string list;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const char* its = kNames[std::size_t(known[i])];
    if (name == its) return known[i];
    list += fmt::format("{}\"{}\"", i == 0 ? "" : i + 1 == known.size() ? " or " : ", ", its);
  }
  throw KeyError("workers.precision", fmt::format("{} has no \"{}\": use {}", device, name, list));
}

}  // namespace easgd
