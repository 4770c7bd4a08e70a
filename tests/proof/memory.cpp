#include "memory.h"

#include <algorithm>
#include <stdexcept>

namespace easgd::proof {

std::uint64_t mixed(std::uint64_t hash, std::uint64_t number) {
  std::uint64_t z = hash * 0x9e3779b97f4a7c15 + number + 0x632be59bd9b4e019;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

void Sight::join(const Sight& other) {
  for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = std::max(seen[i], other.seen[i]);
  for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other.clock[i]);
}

/// Each thread's own time begins at 1; of the others it knows nothing.
std::array<Sight, kMostThreads> Memory::start() {
  std::array<Sight, kMostThreads> sights;
  for (std::size_t i = 0; i < kMostThreads; ++i) sights[i].clock[i] = 1;
  return sights;
}

std::size_t Memory::add(std::int64_t value) {
  if (count_ == kMostAtomics) throw std::length_error("too many atomics");
  atomics_[count_].stores[0].value = value;
  return count_++;
}

Range Memory::readable(std::size_t thread, std::size_t atomic, std::memory_order order) const {
  const Place& place = atomics_[atomic];
  std::uint8_t first = sights_[thread].seen[atomic];
  if (order == std::memory_order_seq_cst) first = std::max(first, place.last_sequential);
  return {first, place.newest};
}

std::int64_t Memory::value(std::size_t atomic, std::uint8_t store) const {
  return atomics_[atomic].stores[store].value;
}

std::int64_t Memory::newest(std::size_t atomic) const {
  return atomics_[atomic].stores[atomics_[atomic].newest].value;
}

void Memory::read(std::size_t thread, std::size_t atomic, std::uint8_t store,
                  std::memory_order order) {
  Sight& sight = sights_[thread];
  sight.seen[atomic] = std::max(sight.seen[atomic], store);
  if (acquires(order)) sight.join(atomics_[atomic].stores[store].released);
}

void Memory::store(std::size_t thread, std::size_t atomic, std::int64_t value,
                   std::memory_order order) {
  append(thread, atomic, {value, {}}, order);
}

void Memory::modify(std::size_t thread, std::size_t atomic, std::int64_t value,
                    std::memory_order order) {
  const Place& place = atomics_[atomic];
  const Sight handed_on = place.stores[place.newest].released;
  read(thread, atomic, place.newest, order);
  append(thread, atomic, {value, handed_on}, order);
}

void Memory::append(std::size_t thread, std::size_t atomic, Store store, std::memory_order order) {
  Place& place = atomics_[atomic];
  Sight& sight = sights_[thread];
  if (place.newest + 1 == kMostStores) throw std::length_error("too many stores");
  const std::uint8_t number = ++place.newest;
  sight.seen[atomic] = number;
  if (releases(order)) store.released.join(sight);
  store.released.seen[atomic] = number;
  place.stores[number] = store;
  if (order == std::memory_order_seq_cst) place.last_sequential = number;
  if (releases(order)) ++sight.clock[thread];
}

/// Stores that no thread may read any more are left out: what they were is history.
std::uint64_t Memory::hash(std::size_t threads) const {
  std::array<std::uint8_t, kMostAtomics> oldest;
  for (std::size_t a = 0; a < count_; ++a) {
    oldest[a] = 255;
    for (std::size_t t = 0; t < threads; ++t) oldest[a] = std::min(oldest[a], sights_[t].seen[a]);
  }
  std::uint64_t hash = 0;
  const auto add = [&](const Sight& sight) {
    std::uint64_t packed = 0;
    for (std::size_t a = 0; a < count_; ++a) {
      packed = packed << 8 | std::uint8_t(std::max(sight.seen[a], oldest[a]) - oldest[a]);
    }
    hash = mixed(hash, packed);
    for (std::size_t t = 0; t < threads; ++t) packed = packed << 8 | sight.clock[t];
    hash = mixed(hash, packed);
  };
  for (std::size_t t = 0; t < threads; ++t) add(sights_[t]);
  for (std::size_t a = 0; a < count_; ++a) {
    const Place& place = atomics_[a];
    hash = mixed(hash, std::uint64_t(std::max(place.last_sequential, oldest[a]) - oldest[a]));
    for (std::size_t s = oldest[a]; s <= place.newest; ++s) {
      hash = mixed(hash, std::uint64_t(place.stores[s].value));
      add(place.stores[s].released);
    }
    hash = mixed(hash, 0x5eed);
  }
  return hash;
}

}  // namespace easgd::proof
