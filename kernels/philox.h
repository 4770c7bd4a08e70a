// Counter-based random numbers: value = f(seed, stream, worker, step, index).
//
// Philox 4x32 with ten rounds [Philox11]. There is no state to keep, to share or to save: shuffles,
// crops, flips, dropout masks and initial weights are equal on every device, whatever the timing of
// the threads, and a resumed run needs nothing but its counters.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// What a random number is for. Part of the counter, so that uses never share numbers.
enum class Stream : std::uint32_t {
  initial_weights = 1,
  shuffle = 2,
  augmentation = 3,
  dropout = 4,
  synthetic_data = 5,
  virtual_time = 6,
  bootstrap = 7,
  search = 8,
};

struct Random4 {
  std::uint32_t value[4];

  /// Uniform in [0, 1), 24 bits.
  EASGD_HD float uniform(int i) const { return static_cast<float>(value[i] >> 8) * 0x1p-24f; }
  /// Uniform in 0..bound-1 (bias below bound / 2^32).
  EASGD_HD std::uint32_t below(int i, std::uint32_t bound) const {
    return static_cast<std::uint32_t>((std::uint64_t{value[i]} * bound) >> 32);
  }
};

/// The block cipher itself.
/// Source: [Philox11] figure 2; known answers in tests/philox_test.cpp.
EASGD_HD inline Random4 philox(Random4 counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter.value[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter.value[2];
    counter = {{static_cast<std::uint32_t>(b >> 32) ^ counter.value[1] ^ key0,
                static_cast<std::uint32_t>(b),
                static_cast<std::uint32_t>(a >> 32) ^ counter.value[3] ^ key1,
                static_cast<std::uint32_t>(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// The random numbers of one stream of one worker.
struct Random {
  std::uint64_t seed = 0;
  Stream stream = Stream::initial_weights;
  std::uint32_t worker = 0;  ///< below 2^16

  EASGD_HD Random4 at(std::uint64_t step, std::uint32_t index) const {
    const Random4 counter = {{index, static_cast<std::uint32_t>(step),
                              static_cast<std::uint32_t>(step >> 32),
                              (static_cast<std::uint32_t>(stream) << 16) | worker}};
    return philox(counter, static_cast<std::uint32_t>(seed),
                  static_cast<std::uint32_t>(seed >> 32));
  }
};

}  // namespace easgd::kernels
