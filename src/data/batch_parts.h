// Who builds which part of a batch, and when all of it is built.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <optional>

namespace easgd {

/// One atomic word counts the parts that somebody has begun and those that have ended. So a part is
/// built once, and whoever waits does so for parts that are being built, never for a scheduler.
///
///   offer()     0 begun, 0 ended
///   claim()     begun + 1: that part is the caller's, and so is its memory
///   finish()    ended + 1; the last one wakes who waits
///   withdraw()  takes for itself what nobody has begun, and waits for the rest
///
/// Thread: any may claim and finish; all else is the owner's, who alone may wait.
class BatchParts {
 public:
  static constexpr std::uint32_t kMost = 0xFFFF;

  explicit BatchParts(std::uint32_t count) : count_(count), word_(word(count, count)) {
    assert(count > 0 && count <= kMost);
  }

  /// All parts are to be built. Expects that all of before have ended.
  void offer() { word_.store(word(0, 0), std::memory_order_release); }

  std::optional<std::uint32_t> claim() {
    std::uint32_t now = word_.load(std::memory_order_relaxed);
    while (begun(now) < count_) {
      if (word_.compare_exchange_weak(now, now + word(1, 0), std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return begun(now);
      }
    }
    return std::nullopt;
  }

  void finish() {
    // A locked operation, as it has to be: notify_one() skips the wake-up if it reads that nobody
    // waits, and a processor may read that before a plain store is visible to who begins to wait.
    const std::uint32_t before = word_.fetch_add(word(0, 1), std::memory_order_seq_cst);
    if (ended(before) + 1 == count_) word_.notify_one();
  }

  /// Until all parts have ended.
  void wait() const {
    std::uint32_t now = word_.load(std::memory_order_acquire);
    while (ended(now) < count_) {
      word_.wait(now, std::memory_order_acquire);
      now = word_.load(std::memory_order_acquire);
    }
  }

  void withdraw() {
    std::uint32_t now = word_.load(std::memory_order_relaxed);
    while (!word_.compare_exchange_weak(now, word(count_, ended(now) + count_ - begun(now)),
                                        std::memory_order_acquire, std::memory_order_relaxed)) {
    }
    wait();
  }

 private:
  static constexpr std::uint32_t word(std::uint32_t begun, std::uint32_t ended) {
    return begun << 16 | ended;
  }
  static constexpr std::uint32_t begun(std::uint32_t word) { return word >> 16; }
  static constexpr std::uint32_t ended(std::uint32_t word) { return word & 0xFFFF; }

  std::uint32_t count_;
  std::atomic<std::uint32_t> word_;
};

}  // namespace easgd
