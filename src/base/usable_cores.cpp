#include "base/usable_cores.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "base/control_groups.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

/// Of one group: version 2 has "max 100000" or "150000 100000", version 1 a file for each number.
std::optional<double> quota_of(const fs::path& group, bool unified) {
  double quota = -1, period = 0;
  if (unified) {
    std::ifstream(group / "cpu.max") >> quota >> period;  // "max" is no number
  } else {
    std::ifstream(group / "cpu.cfs_quota_us") >> quota;
    std::ifstream(group / "cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? std::optional(quota / period) : std::nullopt;
}

}  // namespace

std::size_t allowed_cores() {
  // The kernel refuses a set that is smaller than its own.
  for (int room = 1024; room <= 1 << 20; room *= 2) {
    cpu_set_t* set = CPU_ALLOC(std::size_t(room));
    const std::size_t bytes = CPU_ALLOC_SIZE(std::size_t(room));
    const bool known = set && sched_getaffinity(0, bytes, set) == 0;
    const int why = errno;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    if (set) CPU_FREE(set);
    if (known) return std::size_t(std::max(count, 1));
    if (why != EINVAL) break;
  }
  return 1;
}

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for (const ControlGroup& group : control_groups("cpu", root)) {
    const auto quota = quota_of(group.folder, group.unified);
    if (quota) least = std::min(least.value_or(*quota), *quota);
  }
  return least;
}

namespace {

std::optional<double> own_quota() {
  static const std::optional<double> kQuota = cpu_quota();
  return kQuota;
}

}  // namespace

std::size_t usable_cores() {
  const std::size_t allowed = allowed_cores();
  const auto quota = own_quota();
  return quota ? std::clamp<std::size_t>(std::size_t(*quota), 1, allowed) : allowed;
}

std::string describe_cores() {
  const std::size_t usable = usable_cores(), allowed = allowed_cores();
  std::string text = fmt::format("{} core{}", usable, usable == 1 ? "" : "s");
  if (usable < allowed)
    text += fmt::format(" (of {}: the CPU quota is {:.4g})", allowed, *own_quota());
  return text;
}

}  // namespace easgd
