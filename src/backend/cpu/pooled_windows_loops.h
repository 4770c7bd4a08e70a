// Included by each variant, once. Pixels and weights stay in the first-level cache; four outputs of
// kMost channels are the registers that running sums have.
#pragma once

namespace easgd::cpu {
namespace {

constexpr std::size_t kLanes = kernels::kLanes;
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = std::int32_t __attribute__((vector_size(4 * kLanes)));
using UnalignedFloats = float __attribute__((vector_size(4 * kLanes), aligned(4)));

/// Of the four outputs of a channel.
inline void keep_best(const PooledOutputs& to, std::size_t o, const Floats (&sum)[4]) {
  Floats best = sum[0];
  Ints where{};
  for (int output = 1; output < 4; ++output) {
    where = sum[output] > best ? output - Ints{} : where;
    best = sum[output] > best ? sum[output] : best;
  }
  if (to.relu) {
    where = best > 0 ? where : PooledOutputs::kNowhere - Ints{};
    best = best < 0 ? Floats{} : best;
  }
  *reinterpret_cast<UnalignedFloats*>(to.lines + o * PooledOutputs::kLine) = best;
  narrow(to.argmax + o * kLanes, where);
}

template <std::size_t kChannels>
void forward_channels(const PooledWindow& window) {
  const std::size_t taps = window.kernel_rows * window.kernel;
  const std::size_t pixel = window.pixel, line = window.line;
  const float* w = window.weight;
  Floats sum[kChannels][4];
  for (std::size_t o = 0; o < kChannels; ++o) {
    for (Floats& s : sum[o]) s = window.bias[o] - Floats{};
  }
  for (std::size_t r = 0; r < window.kernel_rows; ++r) {
    const float* x = window.corner + std::size_t(window.row_offsets[r]) * kLanes;
    for (std::size_t k = 0; k < window.kernel; ++k, x += pixel, ++w) {
      asm("" : "+r"(x));  // or GCC keeps pixels for the next k, and spills a sum for them
      const float* seen[4] = {x, x + pixel, x + line, x + line + pixel};
#pragma GCC unroll 4
      for (int output = 0; output < 4; ++output) {
        const Floats value = *reinterpret_cast<const UnalignedFloats*>(seen[output]);
#pragma GCC unroll 6
        for (std::size_t o = 0; o < kChannels; ++o) sum[o][output] += w[o * taps] * value;
      }
    }
  }
#pragma GCC unroll 6
  for (std::size_t o = 0; o < kChannels; ++o) keep_best(window.outputs, o, sum[o]);
}

template <std::size_t kVectors>
void accumulate(const PooledItems& items, const float* images, const std::int32_t* offsets,
                float* sums) {
  const auto at = [](float* p, std::size_t v) {
    return reinterpret_cast<UnalignedFloats*>(p + v * kLanes);
  };
  Floats sum[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) sum[v] = *at(sums, v);
  for (std::size_t i = 0; i < items.count; ++i) {
    const float gradient = items.gradients[i];
    const float* corner = images + items.corners[i];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[v] += gradient * *reinterpret_cast<const UnalignedFloats*>(corner + offsets[v]);
    }
  }
  for (std::size_t v = 0; v < kVectors; ++v) *at(sums, v) = sum[v];
}

constexpr auto kAccumulate = []<std::size_t... v>(std::index_sequence<v...>) {
  return std::array{&accumulate<v + 1>...};
}
(std::make_index_sequence<PooledWindows::kMostVectors>{});

}  // namespace
}  // namespace easgd::cpu
