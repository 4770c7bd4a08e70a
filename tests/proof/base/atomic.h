// In place of src/base/atomic.h: an atomic whose every operation is a choice of the explorer.
//
// wait and notify are those of libstdc++ on Linux: who waits is counted first, then looks, then the
// kernel looks again and lets it sleep; who notifies reads that count, and goes on if it is zero.
#pragma once

#include <atomic>
#include <cstdint>
#include <source_location>

#include "explorer.h"

namespace easgd {

template <class T>
class Atomic {
  using Place = std::source_location;
  static constexpr std::memory_order kStrongest = std::memory_order_seq_cst;

 public:
  Atomic(T value) : atomic_(explorer().add(std::int64_t(value))) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order = kStrongest, Place place = Place::current()) const {
    return T(explorer().load(atomic_, {"load", order, place}));
  }
  void store(T value, std::memory_order order = kStrongest, Place place = Place::current()) {
    explorer().store(atomic_, std::int64_t(value), {"store", order, place});
  }
  T exchange(T value, std::memory_order order = kStrongest, Place place = Place::current()) {
    return T(explorer().exchange(atomic_, std::int64_t(value), {"exchange", order, place}));
  }
  T fetch_add(T more, std::memory_order order = kStrongest, Place place = Place::current()) {
    return T(explorer().add_to(atomic_, std::int64_t(more), {"fetch_add", order, place}));
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = kStrongest,
                               Place place = Place::current()) {
    std::int64_t seen = std::int64_t(expected);
    const bool changed = explorer().compare_exchange(atomic_, seen, std::int64_t(desired),
                                                     {"compare_exchange", order, place});
    expected = T(seen);
    return changed;
  }
  void wait(T old, std::memory_order order = kStrongest, Place place = Place::current()) const {
    explorer().wait(atomic_, std::int64_t(old), {"wait", order, place});
  }
  void notify_one() { explorer().notify(atomic_, false); }
  void notify_all() { explorer().notify(atomic_, true); }

 private:
  static proof::Explorer& explorer() { return proof::Explorer::current(); }

  const std::size_t atomic_;
};

}  // namespace easgd
