#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/fnv1a.h"

namespace easgd {

/// FNV-1a over words of 64 bits in four lanes, many times as fast as byte for byte: tells whether
/// bytes have changed since. A change within one word is always noticed.
inline std::uint64_t checksum(std::span<const std::uint8_t> bytes) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kPrime = 0x100000001b3;
  constexpr std::size_t kLanes = 4, kBlock = kLanes * sizeof(std::uint64_t);
  std::uint64_t lanes[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = fnv1a("") + i;
  std::size_t at = 0;
  for (; at + kBlock <= bytes.size(); at += kBlock) {
    std::uint64_t words[kLanes];
    std::memcpy(words, bytes.data() + at, kBlock);
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = (lanes[i] ^ words[i]) * kPrime;
  }
  std::uint64_t hash = bytes.size();
  for (const std::uint64_t lane : lanes) hash = (std::rotl(hash, 29) ^ lane) * kPrime;
  for (; at < bytes.size(); ++at) hash = (hash ^ bytes[at]) * kPrime;
  return hash;
}

}  // namespace easgd
