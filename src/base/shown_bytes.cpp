#include "base/shown_bytes.h"

#include <fmt/format.h>

namespace easgd {

std::string shown_bytes(std::uint64_t bytes) {
  const double mib = double(bytes) / (1 << 20);
  return mib < 1024 ? fmt::format("{:.2f} MiB", mib) : fmt::format("{:.2f} GiB", mib / 1024);
}

}  // namespace easgd
