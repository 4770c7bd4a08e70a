#include "sweep/combinations.h"

#include <algorithm>

#include "kernels/philox.h"

namespace easgd {
namespace {

constexpr std::size_t kMost = std::size_t{1} << 40;

std::size_t count_in(const Axes& axes) {
  std::size_t count = 1;
  for (const Axis& axis : axes) count = std::min(kMost, count * axis.points.size());
  return count;
}

void append(Combination& to, const std::vector<Setting>& settings) {
  to.insert(to.end(), settings.begin(), settings.end());
}

/// Uniform in [0, 1).
class Draws {
 public:
  explicit Draws(std::size_t index) : index_(index) {}
  double next() {
    const kernels::Random random{.seed = 0, .stream = kernels::Stream::search, .worker = 0};
    return double(random.at(index_, count_++).value[0]) * 0x1p-32;
  }
  std::size_t below(std::size_t bound) { return std::size_t(next() * double(bound)); }

 private:
  std::uint64_t index_;
  std::uint32_t count_ = 0;
};

}  // namespace

std::size_t count_combinations(const SweepFile& file) {
  std::size_t count = 0;
  for (const Axes& axes : file.groups) count += count_in(axes);
  return count;
}

Combination combination_at(const SweepFile& file, std::size_t index) {
  auto group = file.groups.begin();
  while (index >= count_in(*group)) index -= count_in(*group++);
  std::size_t left = count_in(*group);
  Combination combination;
  for (const Axis& axis : *group) {
    left /= axis.points.size();
    append(combination, axis.points[index / left]);
    index %= left;
  }
  return combination;
}

Combination draw(const SweepFile& file, std::size_t index) {
  Draws draws(index);
  Combination combination;
  for (const Axis& axis : file.groups[draws.below(file.groups.size())]) {
    if (axis.range) {
      append(combination, axis.at(draws.next()));
    } else {
      append(combination, axis.points[draws.below(axis.points.size())]);
    }
  }
  return combination;
}

}  // namespace easgd
