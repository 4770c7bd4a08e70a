#include "explorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace easgd::proof {
namespace {

Explorer* explorer = nullptr;

}  // namespace

void expect(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

Explorer& Explorer::current() {
  return *explorer;
}

Findings Explorer::explore(const MakeScenario& make) {
  explorer = this;
  Findings findings;
  begin(make);
  while (true) {
    while (go_on()) {
    }
    ++findings.ways;
    if (failure_ || states_.size() > bounds_.states) break;
    findings.is_exhausted = !go_back();
    if (findings.is_exhausted) break;
  }
  findings.states = states_.size();
  findings.failure = failure_;
  if (failure_) findings.story = story();
  for (const Site& site : sites_) findings.sites.emplace(site.name, site.order);
  return findings;
}

void Explorer::begin(const MakeScenario& make) {
  empty_arena();
  in_scenario = true;
  scenario_ = make();
  in_scenario = false;
  count_ = scenario_->threads();
  for (std::size_t t = 0; t < count_; ++t) {
    now_.threads[t].status = Status::ready;
    now_.running = t;
    fibers_[t].start([this, t] { body(t); });
    in_scenario = true;
    fibers_[t].resume();  // up to its first operation
    in_scenario = false;
  }
  now_.running = kMostThreads;
}

void Explorer::body(std::size_t t) {
  try {
    scenario_->run(t);
  } catch (const std::exception& e) {
    const Outside outside;
    fail(e.what());
  }
  now_.threads[t].status = Status::ended;
}

/// One operation, or one answer to a thread that asks; false at the end of this way.
bool Explorer::go_on() {
  if (failure_) return false;
  const bool asks = now_.running < count_ && now_.threads[now_.running].ways > 0;
  if (!asks && !is_new_state()) return false;
  std::vector<std::size_t> all = ways();
  if (all.empty()) {
    end_of_way();
    return false;
  }
  const std::size_t first = all[0];
  if (all.size() > 1) {
    if (open_ == forks_.size()) forks_.emplace_back();
    save(forks_[open_++], std::move(all));
  }
  take(first);
  return true;
}

void Explorer::end_of_way() {
  for (std::size_t t = 0; t < count_; ++t) {
    const Thread& thread = now_.threads[t];
    if (thread.status == Status::asleep) {
      return fail(fmt::format("thread {} sleeps for ever on atomic {}", t, thread.waits_on));
    }
  }
  try {
    scenario_->check();
  } catch (const std::exception& e) {
    fail(e.what());
  }
}

/// Answers to the thread that asks; else who may make the next operation, whoever made the last
/// one first.
std::vector<std::size_t> Explorer::ways() const {
  std::vector<std::size_t> all;
  const std::size_t running = now_.running;
  if (running < count_ && now_.threads[running].ways > 0) {
    for (std::size_t way = 0; way < now_.threads[running].ways; ++way) all.push_back(way);
    return all;
  }
  const bool can_go_on = running < count_ && now_.threads[running].status == Status::ready;
  if (can_go_on) all.push_back(running);
  if (can_go_on && bounds_.preemptions >= 0 && now_.preemptions == bounds_.preemptions) return all;
  for (std::size_t t = 0; t < count_; ++t) {
    if (now_.threads[t].status == Status::ready && t != running) all.push_back(t);
  }
  return all;
}

void Explorer::take(std::size_t way) {
  Thread* running = now_.running < count_ ? &now_.threads[now_.running] : nullptr;
  if (running && running->ways > 0) {
    answer_ = way;
    running->ways = 0;
  } else {
    now_.preemptions += running && running->status == Status::ready && way != now_.running;
    now_.running = way;
  }
  in_scenario = true;
  fibers_[now_.running].resume();
  in_scenario = false;
}

void Explorer::save(Fork& fork, std::vector<std::size_t> ways) {
  fork.moment = now_;
  fork.moment.told = lines_.size();
  for (std::size_t t = 0; t < count_; ++t) {
    if (now_.threads[t].status != Status::ended) fibers_[t].save(fork.fibers[t]);
  }
  const std::span<const char> arena = arena_in_use();
  fork.arena.assign(arena.begin(), arena.end());
  fork.ways = std::move(ways);
  fork.taken = 0;
}

/// To the last fork that has another way, and along it; false if there is none.
bool Explorer::go_back() {
  while (open_ > 0 && forks_[open_ - 1].taken + 1 == forks_[open_ - 1].ways.size()) --open_;
  if (open_ == 0) return false;
  Fork& fork = forks_[open_ - 1];
  now_ = fork.moment;
  lines_.resize(now_.told);
  for (std::size_t t = 0; t < count_; ++t) {
    if (now_.threads[t].status != Status::ended) fibers_[t].restore(fork.fibers[t]);
  }
  std::ranges::copy(fork.arena, arena_in_use().begin());
  take(fork.ways[++fork.taken]);
  return true;
}

bool Explorer::is_new_state() {
  std::uint64_t hash = mixed(now_.memory.hash(count_), now_.plain.hash());
  for (std::size_t t = 0; t < count_; ++t) {
    const Thread& thread = now_.threads[t];
    hash = mixed(hash, thread.learned);
    hash = mixed(hash, std::uint64_t(thread.status) << 8 | thread.waits_on);
  }
  if (bounds_.preemptions >= 0) {
    hash = mixed(hash, std::uint64_t(now_.preemptions) << 8 | now_.running);
  }
  return states_.insert(hash).second;
}

std::vector<std::string> Explorer::story() const {
  std::vector<std::string> story;
  for (const Line& line : lines_) {
    story.push_back(fmt::format("thread {} {} atomic {}: {}  {}", line.thread, line.what,
                                line.atomic, line.value,
                                line.site < 0 ? "" : sites_[std::size_t(line.site)].name));
  }
  return story;
}

}  // namespace easgd::proof
