// Runs a scenario in every way in which its threads and its loads can go.
//
// Wherever there is more than one way, all is saved, one way is gone to its end, all is put back,
// and the next way is gone. A way ends early where it comes to a state that was there before: what
// the threads have learned, what they know of each other, what they may still read. So every state
// is reached, and gone on from once.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <source_location>
#include <string>
#include <unordered_set>
#include <vector>

#include "fiber.h"
#include "memory.h"
#include "plain_memory.h"

namespace easgd::proof {

/// Threads that share atomics. Lives in the arena, and is never destroyed.
class Scenario {
 public:
  virtual ~Scenario() = default;
  virtual std::size_t threads() const = 0;
  virtual void run(std::size_t thread) = 0;
  /// Once all have ended. Throws if something is wrong.
  virtual void check() const {}
};

using MakeScenario = std::function<Scenario*()>;

/// One operation in the source.
struct Operation {
  const char* name;
  std::memory_order order;
  std::source_location place;
};

struct Weakening {
  std::string site;  ///< "Bell::ring fetch_add": an operation of a function
  std::memory_order order = std::memory_order_relaxed;
};

struct Bounds {
  int preemptions = -1;  ///< how often a thread may be interrupted; -1: as often as it can be
  std::uint64_t states = 1'000'000'000;
};

struct Findings {
  std::uint64_t states = 0, ways = 0;
  bool is_exhausted = false;
  std::optional<std::string> failure = {};
  std::vector<std::string> story = {};                  ///< of the way that failed
  std::map<std::string, std::memory_order> sites = {};  ///< that were there
};

class Explorer {
 public:
  explicit Explorer(Bounds bounds = {}, std::vector<Weakening> weaker = {})
      : bounds_(bounds), weaker_(std::move(weaker)) {}

  /// Up to the first failure: a race, an exception, a deadlock, a way without end.
  Findings explore(const MakeScenario& make);

  // From the scenario.
  static Explorer& current();
  std::size_t add(std::int64_t value) { return now_.memory.add(value); }
  std::int64_t load(std::size_t atomic, const Operation& o);
  void store(std::size_t atomic, std::int64_t value, const Operation& o);
  std::int64_t exchange(std::size_t atomic, std::int64_t value, const Operation& o);
  std::int64_t add_to(std::size_t atomic, std::int64_t more, const Operation& o);
  bool compare_exchange(std::size_t atomic, std::int64_t& expected, std::int64_t desired,
                        const Operation& o);
  void wait(std::size_t atomic, std::int64_t old, const Operation& o);
  void notify(std::size_t atomic, bool all);
  /// Chance: one of 0 to `ways` - 1, and all of them in turn.
  std::size_t choose(std::size_t ways);
  /// Promises that all that the thread will do is a function of its place in the source and of
  /// these numbers, so that it does not matter how it has come there.
  void at(std::initializer_list<std::uint64_t> numbers,
          std::source_location place = std::source_location::current());
  void touch(const void* address, std::size_t bytes, Access access);

 private:
  enum class Status : std::uint8_t { ready, asleep, ended };
  struct Thread {
    Status status = Status::ended;
    std::uint8_t waits_on = kMostAtomics;  ///< is counted as a waiter there
    std::uint64_t learned = 0;             ///< of all that its operations have returned
    std::size_t ways = 0;                  ///< asks which of so many; 0: is before an operation
  };
  /// All that is put back, but for stacks and the arena.
  struct Moment {
    Memory memory{};
    PlainMemory plain{};
    std::array<Thread, kMostThreads> threads{};
    std::size_t running = kMostThreads;
    int preemptions = 0;
    std::size_t told = 0;
  };
  /// Where there is another way.
  struct Fork {
    Moment moment;
    std::array<Fiber::Saved, kMostThreads> fibers;
    std::vector<char> arena;
    std::vector<std::size_t> ways;  ///< threads, or answers to the one that asks
    std::size_t taken = 0;
  };
  struct Site {
    const char* file;
    std::uint_least32_t line, column;
    std::string name;
    std::memory_order order;
  };
  struct Line {
    std::uint8_t thread, atomic;
    std::int64_t value;
    const char* what;
    int site;
  };

  void begin(const MakeScenario& make);
  void body(std::size_t thread);
  bool go_on();
  void end_of_way();
  std::vector<std::size_t> ways() const;
  void take(std::size_t way);
  void save(Fork& fork, std::vector<std::size_t> ways);
  bool go_back();
  bool is_new_state();
  std::vector<std::string> story() const;

  std::size_t ask(std::size_t ways);
  void pause();
  void fail(const std::string& why);
  void learn(std::int64_t value);
  const Site& site_of(const Operation& o);
  std::uint8_t choose_store(std::size_t atomic, std::memory_order order);
  void tell(const char* what, std::size_t atomic, std::int64_t value, const Operation* o = nullptr);

  const Bounds bounds_;
  const std::vector<Weakening> weaker_;
  std::unordered_set<std::uint64_t> states_;
  std::vector<Site> sites_;
  std::vector<Fork> forks_;  // the first `open_` are in use
  std::size_t open_ = 0;

  Scenario* scenario_ = nullptr;
  std::size_t count_ = 0;
  Moment now_;
  std::array<Fiber, kMostThreads> fibers_;
  std::size_t answer_ = 0;
  std::optional<std::string> failure_;
  std::vector<Line> lines_;
};

/// What a scenario expects of itself. Throws.
void expect(bool holds, const char* what);

}  // namespace easgd::proof
