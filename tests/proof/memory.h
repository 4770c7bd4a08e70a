// Memory as C++ sees it: which values a load may read, and who knows of what.
//
//   sight     for each atomic the oldest store that its owner may still read; for each thread how
//            much of it has happened before
//   store    its value, and the sight that an acquiring reader takes over
//
// A store is the newest of its atomic: a relaxed store that other threads see before an older one
// is not explored. No fences.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace easgd::proof {

constexpr std::size_t kMostThreads = 4, kMostAtomics = 5, kMostStores = 40;

struct Sight {
  std::array<std::uint8_t, kMostAtomics> seen{};
  std::array<std::uint8_t, kMostThreads> clock{};

  void join(const Sight& other);
  bool operator==(const Sight&) const = default;
};

/// Numbers of the stores of one atomic.
struct Range {
  std::uint8_t first, last;
};

bool acquires(std::memory_order order);
bool releases(std::memory_order order);

class Memory {
 public:
  /// All atomics are made before the first thread runs. Throws if there are too many.
  std::size_t add(std::int64_t value);

  /// The stores that a load may read: those that nothing which has happened before hides. A load
  /// that is sequentially consistent reads no store older than the last one that is.
  Range readable(std::size_t thread, std::size_t atomic, std::memory_order order) const;
  std::int64_t value(std::size_t atomic, std::uint8_t store) const;
  std::int64_t newest(std::size_t atomic) const;
  void read(std::size_t thread, std::size_t atomic, std::uint8_t store, std::memory_order order);
  void store(std::size_t thread, std::size_t atomic, std::int64_t value, std::memory_order order);
  /// Reads the newest store and adds the next in one; others that released it go on to do so.
  void modify(std::size_t thread, std::size_t atomic, std::int64_t value, std::memory_order order);

  /// How far the thread is, and whether that moment of another has happened before.
  std::uint8_t now(std::size_t thread) const { return sights_[thread].clock[thread]; }
  bool knows(std::size_t thread, std::size_t other, std::uint8_t moment) const {
    return sights_[thread].clock[other] >= moment;
  }
  /// Of all that loads to come depend on.
  std::uint64_t hash(std::size_t threads) const;

 private:
  struct Store {
    std::int64_t value = 0;
    Sight released{};
  };
  struct Place {
    std::array<Store, kMostStores> stores;
    std::uint8_t newest = 0;  // number of the last
    std::uint8_t last_sequential = 0;
  };
  void append(std::size_t thread, std::size_t atomic, Store store, std::memory_order order);

  std::array<Place, kMostAtomics> atomics_{};
  std::size_t count_ = 0;
  std::array<Sight, kMostThreads> sights_ = start();
  static std::array<Sight, kMostThreads> start();
};

/// Adds a number to a hash.
std::uint64_t mixed(std::uint64_t hash, std::uint64_t number);

}  // namespace easgd::proof
