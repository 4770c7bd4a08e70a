// What the explorer does for the threads of a scenario, on their stacks.
#include <algorithm>

#include "explorer.h"

namespace easgd::proof {
namespace {

constexpr std::size_t kLongest = 5000;  // operations of a way: one that has no end

std::memory_order order_of_failure(std::memory_order order) {
  if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
  if (order == std::memory_order_release) return std::memory_order_relaxed;
  return order;
}

}  // namespace

void Explorer::pause() {
  fibers_[now_.running].pause();
  in_scenario = false;
}

std::size_t Explorer::ask(std::size_t ways) {
  if (ways == 1) return 0;
  now_.threads[now_.running].ways = ways;
  pause();
  return answer_;
}

void Explorer::fail(const std::string& why) {
  if (!failure_) failure_ = why;
}

void Explorer::learn(std::int64_t value) {
  std::uint64_t& learned = now_.threads[now_.running].learned;
  learned = mixed(learned, std::uint64_t(value));
}

void Explorer::tell(const char* what, std::size_t atomic, std::int64_t value, const Operation* o) {
  const int site = o ? int(&site_of(*o) - sites_.data()) : -1;
  lines_.push_back({std::uint8_t(now_.running), std::uint8_t(atomic), value, what, site});
  if (lines_.size() > kLongest) fail("a way without end");
}

/// Names are made once for each operation: they cost more than the rest.
const Explorer::Site& Explorer::site_of(const Operation& o) {
  for (const Site& site : sites_) {
    if (site.file == o.place.file_name() && site.line == o.place.line() &&
        site.column == o.place.column()) {
      return site;
    }
  }
  std::string name = o.place.function_name();
  name.resize(std::min(name.size(), name.find('(')));
  name.erase(0, name.rfind(' ') + 1);
  const std::size_t last = name.rfind("::");
  const std::size_t before = last == std::string::npos ? last : name.rfind("::", last - 1);
  if (before != std::string::npos) name.erase(0, before + 2);
  name = name + " " + o.name;
  const auto weaker = std::ranges::find(weaker_, name, &Weakening::site);
  const std::memory_order order = weaker == weaker_.end() ? o.order : weaker->order;
  sites_.push_back({o.place.file_name(), o.place.line(), o.place.column(), name, order});
  return sites_.back();
}

/// The newest first.
std::uint8_t Explorer::choose_store(std::size_t atomic, std::memory_order order) {
  const Range range = now_.memory.readable(now_.running, atomic, order);
  return std::uint8_t(range.last - ask(std::size_t(range.last - range.first) + 1));
}

std::int64_t Explorer::load(std::size_t atomic, const Operation& o) {
  const Outside outside;
  pause();
  const std::memory_order order = site_of(o).order;
  const std::uint8_t store = choose_store(atomic, order);
  const std::int64_t value = now_.memory.value(atomic, store);
  now_.memory.read(now_.running, atomic, store, order);
  learn(value);
  tell("reads", atomic, value, &o);
  return value;
}

void Explorer::store(std::size_t atomic, std::int64_t value, const Operation& o) {
  const Outside outside;
  pause();
  now_.memory.store(now_.running, atomic, value, site_of(o).order);
  learn(0);
  tell("stores in", atomic, value, &o);
}

std::int64_t Explorer::exchange(std::size_t atomic, std::int64_t value, const Operation& o) {
  const Outside outside;
  pause();
  const std::int64_t before = now_.memory.newest(atomic);
  now_.memory.modify(now_.running, atomic, value, site_of(o).order);
  learn(before);
  tell("exchanges", atomic, value, &o);
  return before;
}

std::int64_t Explorer::add_to(std::size_t atomic, std::int64_t more, const Operation& o) {
  const Outside outside;
  pause();
  const std::int64_t before = now_.memory.newest(atomic);
  now_.memory.modify(now_.running, atomic, before + more, site_of(o).order);
  learn(before);
  tell("adds to", atomic, before + more, &o);
  return before;
}

/// Changes the newest store if it is the expected one. One that fails is a load, and may have read
/// an older store.
bool Explorer::compare_exchange(std::size_t atomic, std::int64_t& expected, std::int64_t desired,
                                const Operation& o) {
  const Outside outside;
  pause();
  const std::memory_order order = site_of(o).order, failed = order_of_failure(order);
  const Range range = now_.memory.readable(now_.running, atomic, failed);
  std::uint8_t others[kMostStores], count = 0;  // stores that it may read and fail
  for (int s = range.last; s >= range.first; --s) {
    if (now_.memory.value(atomic, std::uint8_t(s)) != expected) others[count++] = std::uint8_t(s);
  }
  const bool can_change = now_.memory.newest(atomic) == expected;
  const std::size_t way = ask(std::size_t(count) + can_change);
  if (can_change && way == 0) {
    now_.memory.modify(now_.running, atomic, desired, order);
    learn(expected);
    tell("changes", atomic, desired, &o);
    return true;
  }
  const std::uint8_t store = others[way - can_change];
  now_.memory.read(now_.running, atomic, store, failed);
  expected = now_.memory.value(atomic, store);
  learn(expected);
  tell("does not change", atomic, expected, &o);
  return false;
}

/// To be counted as a waiter, to look, and the kernel's look are one operation: what comes between
/// is what an older store, or a change just after it, would have shown. The kernel's look is
/// sequentially consistent, as its documents promise.
void Explorer::wait(std::size_t atomic, std::int64_t old, const Operation& o) {
  const Outside outside;
  while (true) {
    pause();
    const std::size_t me = now_.running;
    const std::memory_order order = site_of(o).order;
    now_.threads[me].waits_on = std::uint8_t(atomic);
    const std::uint8_t store = choose_store(atomic, order);
    now_.memory.read(me, atomic, store, order);
    if (now_.memory.value(atomic, store) != old) break;
    const std::uint8_t kernel = choose_store(atomic, std::memory_order_seq_cst);
    now_.memory.read(me, atomic, kernel, std::memory_order_relaxed);
    if (now_.memory.value(atomic, kernel) == old) now_.threads[me].status = Status::asleep;
    tell("waits while", atomic, old, &o);
  }
  now_.threads[now_.running].waits_on = kMostAtomics;
  learn(0);
  tell("waits no more while", atomic, old, &o);
}

void Explorer::notify(std::size_t atomic, bool all) {
  const Outside outside;
  pause();
  std::size_t asleep[kMostThreads], count = 0;
  for (std::size_t t = 0; t < count_; ++t) {
    const Thread& thread = now_.threads[t];
    if (thread.status == Status::asleep && thread.waits_on == atomic) asleep[count++] = t;
  }
  if (!all && count > 1) asleep[0] = asleep[ask(count)], count = 1;
  for (std::size_t i = 0; i < count; ++i) now_.threads[asleep[i]].status = Status::ready;
  learn(0);
  tell("notifies", atomic, std::int64_t(count));
}

std::size_t Explorer::choose(std::size_t ways) {
  const Outside outside;
  const std::size_t way = ask(ways);
  learn(std::int64_t(way));
  return way;
}

void Explorer::at(std::initializer_list<std::uint64_t> numbers, std::source_location place) {
  std::uint64_t learned = place.line();
  for (const std::uint64_t number : numbers) learned = mixed(learned, number);
  now_.threads[now_.running].learned = learned;
}

void Explorer::touch(const void* address, std::size_t bytes, Access access) {
  if (!in_scenario || now_.running == kMostThreads) return;
  const Outside outside;
  const std::size_t begin = offset_in_arena(address);
  for (std::size_t at = begin; at < begin + bytes && at < kArenaBytes; at += 4) {
    if (const auto race = now_.plain.touch(at / 4, access, now_.running, now_.memory)) fail(*race);
  }
}

}  // namespace easgd::proof
