// The body of the kernel that has barriers, on blocks of fibers: is it the plain formula, in
// whatever order blocks and threads come, and is each barrier needed for that?
#include "kernels/channel_block.h"

#include <doctest/doctest.h>

#include <cmath>

#include "emulated_block.h"
#include "sum_channels.h"

using namespace easgd;
using testing::EmulatedGrid;
using testing::EmulatedOrder;
using testing::EmulatedThread;

namespace {

using Next = EmulatedOrder::Next;
using kernels::Index;
using kernels::ReductionLayout;

struct Case {
  int channels, pixels, samples;
  bool channels_last;
  Index width, parts;  ///< of the reduction
};

/// Few values, so that sums are exact in whatever order.
std::vector<float> coarse(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 draw(seed);
  std::vector<float> values(count);
  for (float& value : values) value = float(int(draw() % 61) - 20) / 4;
  return values;
}

/// A sum of channels, and what it has to come to.
class Problem {
 public:
  explicit Problem(const Case& c)
      : reduction_{{c.channels, c.pixels, c.channels_last}, Index(c.pixels * c.samples)},
        x_(coarse(std::size_t(c.channels) * reduction_.rows, 1)),
        sums_(std::size_t(c.channels)),
        squares_(sums_.size()) {
    reduction_.width = c.width;
    reduction_.groups = (Index(c.channels) + c.width - 1) / c.width;
    reduction_.parts = c.parts;
    const std::size_t pixels = c.pixels, channels = c.channels;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const std::size_t channel = c.channels_last ? i % channels : i / pixels % channels;
      sums_[channel] += double(x_[i]);
      squares_[channel] += double(x_[i]) * double(x_[i]);
    }
  }

  const ReductionLayout& reduction() const { return reduction_; }

  /// Mean and deviation of the channels, by `run`, which gets the formula.
  template <class Run>
  std::vector<float> moments(const Run& run) const {
    std::vector<float> found(2 * sums_.size(), -1);
    std::vector<kernels::Sums> partial(reduction_.partial_count(), {1e9, 1e9});
    std::vector<std::uint32_t> finished(reduction_.groups);
    run(kernels::BatchMoments<float>{found.data(), found.data() + sums_.size(), nullptr, nullptr,
                                     x_.data(), double(reduction_.rows), kEpsilon, 0},
        kernels::SumsScratch{partial.data(), finished.data()});
    if (std::ranges::count(finished, 0u) < std::ptrdiff_t(finished.size())) return {};
    return found;
  }

  /// The same by the kernel's body; `barriers` becomes how many a thread came to.
  std::vector<float> emulated(const EmulatedOrder& order, int* barriers = nullptr) const {
    return moments([&](const auto& formula, const kernels::SumsScratch& scratch) {
      EmulatedGrid grid(order, [&](EmulatedThread& thread) {
        kernels::sum_channels_of(thread, formula, reduction_, scratch);
      });
      grid.run(reduction_.groups, reduction_.parts);
      if (barriers) *barriers = grid.barriers();
    });
  }

  /// By the plain formula, in double.
  std::vector<double> expected() const {
    std::vector<double> result;
    const double n = double(reduction_.rows);
    for (const double sum : sums_) result.push_back(sum / n);
    for (std::size_t c = 0; c < sums_.size(); ++c) {
      const double mean = sums_[c] / n;
      result.push_back(1 / std::sqrt(squares_[c] / n - mean * mean + kEpsilon));
    }
    return result;
  }

  bool is_right(const std::vector<float>& found) const {
    const std::vector<double> wanted = expected();
    return std::ranges::equal(found, wanted, [](float ours, double theirs) {
      return std::abs(double(ours) - theirs) <= 1e-6 * std::abs(theirs) + 1e-12;
    });
  }

 private:
  static constexpr double kEpsilon = 1e-3;

  ReductionLayout reduction_;
  std::vector<float> x_;
  std::vector<double> sums_, squares_;
};

const Case kCases[] = {{3, 35, 40, false, 1, 4},
                       {19, 12, 40, true, 16, 3},
                       {70, 1, 90, false, 64, 3},
                       {2, 600, 3, false, 1, 1},
                       {5, 4, 1, true, 8, 2}};

std::vector<EmulatedOrder> orders(std::uint64_t seeds) {
  std::vector<EmulatedOrder> all;
  for (const std::size_t side_by_side : {1, 3}) {
    all.push_back({.next = Next::first, .side_by_side = side_by_side});
    all.push_back({.next = Next::last, .side_by_side = side_by_side});
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      all.push_back({.next = Next::bursts, .seed = seed, .side_by_side = side_by_side});
    }
  }
  return all;
}

}  // namespace

TEST_CASE("the kernel of sums gives the formula's, in every order of blocks and threads") {
  for (const Case& c : kCases) {
    CAPTURE(c.channels);
    const Problem problem(c);
    const std::vector<float> in_order =
        problem.moments([&](const auto& formula, const kernels::SumsScratch& scratch) {
          testing::sum_channels(formula, problem.reduction(), scratch);
        });
    CHECK(problem.is_right(in_order));
    for (const EmulatedOrder& order : orders(5)) {
      CAPTURE(int(order.next));
      CAPTURE(order.seed);
      CAPTURE(order.side_by_side);
      CHECK(problem.emulated(order) == in_order);  // and so the stand-in for GPUs, to the bit
    }
  }
}

TEST_CASE("without any one of its barriers the kernel of sums is wrong in some order") {
  const Problem problem({70, 1, 90, false, 64, 5});  // each lane has a part of the last sums
  int barriers = 0;
  problem.emulated({}, &barriers);
  CHECK(barriers == 6);  // 2 to add up 4 lanes, 2 to find the last block, 2 for its sums
  for (int without = 0; without < barriers; ++without) {
    CAPTURE(without);
    bool is_wrong = false;
    for (EmulatedOrder order : orders(200)) {
      order.without_barrier = without;
      is_wrong = is_wrong || !problem.is_right(problem.emulated(order));
    }
    CHECK(is_wrong);
  }
}
