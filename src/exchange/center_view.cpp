#include "exchange/center_view.h"

#include <algorithm>

#include "base/check.h"

namespace easgd {

void CenterView::copy_to(View state) const {
  EASGD_CHECK(state.size() == center.size() + statistics.size(), "{}, not {} and {}, of version {}",
              state.size(), center.size(), statistics.size(), version);
  const View parameters = state.first(center.size());
  if (backend) {
    backend->download(center, parameters);
  } else {
    std::ranges::copy(center, parameters.begin());
  }
  std::ranges::copy(statistics, state.begin() + std::ptrdiff_t(center.size()));
}

}  // namespace easgd
