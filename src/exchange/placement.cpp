#include "exchange/placement.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda_library.h"
#include "base/error.h"

namespace easgd {

std::vector<std::string> names_of(const std::vector<Placement>& placements) {
  std::vector<std::string> names;
  for (const Placement& placement : placements) names.push_back(placement.name());
  return names;
}

std::string Placement::name() const {
  return kind == "cpu" ? kind : fmt::format("{}:{}", kind, options.index);
}

Placement cuda_device(int index) {
  return {"cuda", {.index = index, .threads = 1}};
}

std::optional<Placement> named_cuda_device(const std::string& word) {
  constexpr std::string_view kPrefix = "cuda:";
  if (!word.starts_with(kPrefix)) return std::nullopt;
  const std::string number = word.substr(kPrefix.size());
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (number.empty() || number.size() > 3 || !std::ranges::all_of(number, is_digit)) {
    return std::nullopt;
  }
  return cuda_device(std::stoi(number));
}

void check_present(const Placement& placement, const char* remedy) {
  try {
    load_cuda();
    const std::vector<Device> devices = Registry<BackendKind>::get(placement.kind).devices();
    if (std::size_t(placement.options.index) >= devices.size()) {
      throw DeviceError(
          fmt::format("no CUDA device of this number; there are {}, from 0", devices.size()));
    }
    const Device& device = devices[std::size_t(placement.options.index)];
    if (!device.why_not.empty()) throw DeviceError(device.why_not);
  } catch (const DeviceError& e) {
    throw DeviceError(fmt::format("{}: {}; use {}", placement.name(), e.what(), remedy));
  }
}

std::size_t most_threads() {
  return std::size_t(Registry<BackendKind>::get("cpu").most_threads());
}

}  // namespace easgd
