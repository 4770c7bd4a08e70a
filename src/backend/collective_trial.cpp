#include "backend/collective_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "base/error.h"

namespace easgd {

void try_sums(std::span<Backend* const> backends, const MakeCollective& make_collective) {
  constexpr std::size_t kCount = (std::size_t{4} << 20) + 1;  // as much as a network, and odd
  std::vector<Buffer> terms, sums;
  std::vector<float> term(kCount), wanted(kCount), found(kCount);
  for (Backend* backend : backends) {
    sums.push_back(backend->allocate(kCount));
    for (std::size_t k = 0; k < kCount; ++k) {
      term[k] = float((k * 37 + sums.size() * 11) % 1009);  // sums are exact
      wanted[k] += term[k];
    }
    backend->upload(term, terms.emplace_back(backend->allocate(kCount)));
  }
  const auto collective = make_collective(backends);
  collective->longest = std::chrono::seconds(10);
  std::vector<ConstView> given(terms.begin(), terms.end());
  const std::vector<View> results(sums.begin(), sums.end());
  for (const bool all : {true, false}) {
    if (!all) {  // as in a round without the last worker's letter
      given.back() = {};
      std::ranges::transform(wanted, term, wanted.begin(), std::minus());
    }
    collective->sum(given, results);
    collective->finish();
    for (std::size_t i = 0; i < backends.size(); ++i) {
      backends[i]->download(sums[i], found);
      if (found == wanted) continue;
      throw DeviceError(fmt::format("a sum over devices was wrong on {}", backends[i]->device()));
    }
  }
}

}  // namespace easgd
