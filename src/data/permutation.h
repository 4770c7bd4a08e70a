// A random order of 0..n-1 that is computed, not stored.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/philox.h"

namespace easgd {

/// A bijection of 0..n-1 chosen by (random, pass, part): value = f(seed, stream, worker, pass,
/// part, index).
///
/// A Feistel network over the smallest square domain that holds n. Values beyond n are sent through
/// it again until they fall inside: four trips on average at most, more only for n below 64. Its
/// round keys are Philox numbers; its round function is the last mixing step of MurmurHash3.
///
/// Time:   O(1) an index, no memory; making one costs two Philox blocks.
/// Thread: immutable.
/// Source: [LubyRackoff88] for the network, [BlackRogaway02] for the walk.
class Permutation {
 public:
  Permutation(std::uint64_t n, kernels::Random random, std::uint64_t pass = 0,
              std::uint32_t part = 0)
      : n_(n), half_bits_(half_bits(n)), mask_((std::uint64_t{1} << half_bits_) - 1) {
    for (std::uint32_t block = 0; block < 2; ++block) {
      const kernels::Random4 four = random.at(pass, 2 * part + block);
      for (int i = 0; i < 4; ++i) keys_[4 * block + i] = four.value[i];
    }
  }

  std::uint64_t size() const { return n_; }

  /// index < size().
  std::uint64_t operator()(std::uint64_t index) const {
    do index = encipher(index);
    while (index >= n_);
    return index;
  }

 private:
  /// At least 4, because so few bits as a tiny n needs mix badly.
  static int half_bits(std::uint64_t n) {
    const int bits = n > 1 ? std::bit_width(n - 1) : 1;
    return bits < 8 ? 4 : (bits + 1) / 2;
  }

  std::uint64_t encipher(std::uint64_t value) const {
    std::uint64_t left = value >> half_bits_, right = value & mask_;
    for (const std::uint32_t key : keys_) {
      const std::uint64_t next = left ^ (mix(static_cast<std::uint32_t>(right) ^ key) & mask_);
      left = right;
      right = next;
    }
    return left << half_bits_ | right;
  }

  static std::uint32_t mix(std::uint32_t h) {
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return h ^ h >> 16;
  }

  std::uint64_t n_;
  int half_bits_;
  std::uint64_t mask_;
  std::array<std::uint32_t, 8> keys_{};
};

}  // namespace easgd
