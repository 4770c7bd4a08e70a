#include "exchange/saved_tally.h"

#include "base/error.h"

namespace easgd {

std::int64_t samples_of(const std::string& name, std::uint64_t saved) {
  constexpr std::uint64_t kMost = std::uint64_t(1) << 53;
  if (saved > kMost) throw DataError("\"" + name + "\": is no number of samples");
  return std::int64_t(saved);
}

void save_tally(SavedState& saved, const std::string& prefix, const Tally& tally) {
  saved.numbers[prefix + "loss"] = {tally.loss};
  saved.counters[prefix + "hits"] = {std::uint64_t(tally.hits)};
  saved.counters[prefix + "samples"] = {std::uint64_t(tally.samples)};
}

Tally load_tally(const SavedState& saved, const std::string& prefix) {
  const auto samples = [&](const std::string& name) {
    return samples_of(prefix + name, saved.counter(prefix + name));
  };
  return {.loss = saved.number(prefix + "loss"),
          .hits = samples("hits"),
          .samples = samples("samples")};
}

}  // namespace easgd
