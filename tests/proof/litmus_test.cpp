// Does the explorer see what C++ allows, and no more? Small programs whose outcomes are known.

#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <vector>

#include "base/atomic.h"
#include "explorer.h"

using namespace easgd;
using namespace easgd::proof;
using enum std::memory_order;

namespace {

using Outcome = std::vector<int>;  // what was read, in the order of the program's text

/// Two atomics, a plain number, and what threads have read.
struct Shared {
  Atomic<int> x{0}, y{0};
  int plain = 0;
  int read[4] = {};
};

using Body = void (*)(Shared&);

class Litmus final : public Scenario {
 public:
  Litmus(const std::vector<Body>& threads, std::set<Outcome>& outcomes)
      : threads_(threads), outcomes_(outcomes) {}
  std::size_t threads() const override { return threads_.size(); }
  void run(std::size_t thread) override { threads_[thread](shared_); }
  void check() const override { outcomes_.insert(Outcome(shared_.read, shared_.read + 4)); }

 private:
  const std::vector<Body>& threads_;
  std::set<Outcome>& outcomes_;
  Shared shared_;
};

struct Result {
  std::set<Outcome> outcomes;
  std::string failure;

  bool has(Outcome outcome) const {
    outcome.resize(4);
    return outcomes.contains(outcome);
  }
};

Result explore(const std::vector<Body>& threads) {
  Result result;
  const Findings found =
      Explorer().explore([&]() -> Scenario* { return new Litmus(threads, result.outcomes); });
  result.failure = found.failure.value_or("");
  CHECK((found.failure || found.is_exhausted));
  return result;
}

}  // namespace

TEST_CASE("stores and loads of two threads that cross") {
  const Result relaxed_ones = explore({
      [](Shared& s) { s.x.store(1, relaxed), s.read[0] = s.y.load(relaxed); },
      [](Shared& s) { s.y.store(1, relaxed), s.read[1] = s.x.load(relaxed); },
  });
  CHECK(relaxed_ones.outcomes.size() == 4);
  const Result ordered = explore({
      [](Shared& s) { s.x.store(1, seq_cst), s.read[0] = s.y.load(seq_cst); },
      [](Shared& s) { s.y.store(1, seq_cst), s.read[1] = s.x.load(seq_cst); },
  });
  CHECK(ordered.outcomes.size() == 3);
  CHECK_FALSE(ordered.has({0, 0}));
  const Result half = explore({
      // one of them is not enough
      [](Shared& s) { s.x.exchange(1, acq_rel), s.read[0] = s.y.load(seq_cst); },
      [](Shared& s) { s.y.exchange(1, seq_cst), s.read[1] = s.x.load(seq_cst); },
  });
  CHECK(half.has({0, 0}));
}

TEST_CASE("a message and its flag") {
  const Body reads = [](Shared& s) {
    s.read[0] = s.y.load(acquire), s.read[1] = s.x.load(relaxed);
  };
  const Body releases = [](Shared& s) { s.x.store(1, relaxed), s.y.store(1, release); };
  CHECK_FALSE(explore({releases, reads}).has({1, 0}));
  CHECK(explore({releases, reads}).outcomes.size() == 3);
  CHECK(explore({[](Shared& s) { s.x.store(1, relaxed), s.y.store(1, relaxed); }, reads})
            .has({1, 0}));
  CHECK(explore({releases,
                 [](Shared& s) { s.read[0] = s.y.load(relaxed), s.read[1] = s.x.load(relaxed); }})
            .has({1, 0}));
}

TEST_CASE("what is released is handed on by who adds to it, and not by who stores over it") {
  const Body releases = [](Shared& s) { s.x.store(1, relaxed), s.y.store(1, release); };
  const Body reads = [](Shared& s) {
    s.read[0] = s.y.load(acquire), s.read[1] = s.x.load(relaxed);
  };
  CHECK_FALSE(explore({releases, [](Shared& s) { s.y.fetch_add(1, relaxed); }, reads}).has({2, 0}));
  CHECK(explore({releases, [](Shared& s) { s.y.store(2, relaxed); }, reads}).has({2, 0}));
}

TEST_CASE("nobody reads an older store after a newer one") {
  const Result twice = explore({
      [](Shared& s) { s.x.store(1, relaxed); },
      [](Shared& s) { s.read[0] = s.x.load(relaxed), s.read[1] = s.x.load(relaxed); },
  });
  CHECK(twice.outcomes.size() == 3);
  CHECK_FALSE(twice.has({1, 0}));
}

TEST_CASE("two readers may see two stores in different orders, unless all are in one") {
  const Outcome apart{1, 0, 1, 0};
  CHECK(explore({
                    [](Shared& s) { s.x.store(1, release); },
                    [](Shared& s) { s.y.store(1, release); },
                    [](Shared& s) { s.read[0] = s.x.load(acquire), s.read[1] = s.y.load(acquire); },
                    [](Shared& s) { s.read[2] = s.y.load(acquire), s.read[3] = s.x.load(acquire); },
                })
            .has(apart));
  const Result ordered = explore({
      [](Shared& s) { s.x.store(1, seq_cst); },
      [](Shared& s) { s.y.store(1, seq_cst); },
      [](Shared& s) { s.read[0] = s.x.load(seq_cst), s.read[1] = s.y.load(seq_cst); },
      [](Shared& s) { s.read[2] = s.y.load(seq_cst), s.read[3] = s.x.load(seq_cst); },
  });
  CHECK_FALSE(ordered.has(apart));
}

TEST_CASE("of two that change the same value one fails") {
  const Body changes = [](Shared& s) {
    int seen = 0;
    if (s.x.compare_exchange_strong(seen, 1, relaxed)) s.y.fetch_add(1, relaxed);
  };
  const Result result =
      explore({changes, changes, [](Shared& s) { s.read[0] = s.y.load(relaxed); }});
  CHECK(result.outcomes == std::set<Outcome>{{0, 0, 0, 0}, {1, 0, 0, 0}});
}

TEST_CASE("plain memory: a race, and none") {
  const Body writes = [](Shared& s) { s.plain = 1, s.x.store(1, release); };
  const Body looks = [](Shared& s) {
    if (s.x.load(acquire)) s.read[0] = s.plain;
  };
  CHECK(explore({writes, looks}).failure.empty());
  CHECK(explore({writes, [](Shared& s) { s.read[0] = s.plain, s.x.load(acquire); }})
            .failure.find("a race") == 0);
  CHECK(explore({writes,
                 [](Shared& s) {
                   if (s.x.load(relaxed)) s.read[0] = s.plain;
                 }})
            .failure.find("a race") == 0);
}

TEST_CASE("who waits is woken by who has changed and notifies, and by nobody else") {
  const Body waits = [](Shared& s) { s.x.wait(0, acquire), s.read[0] = s.x.load(relaxed); };
  const auto woken = explore({[](Shared& s) { s.x.exchange(1), s.x.notify_one(); }, waits});
  CHECK(woken.failure.empty());
  CHECK(woken.has({1}));
  const std::string asleep = "thread 1 sleeps for ever on atomic 0";
  CHECK(explore({[](Shared& s) { s.x.exchange(1); }, waits}).failure == asleep);
  CHECK(explore({[](Shared& s) { s.x.notify_one(), s.x.exchange(1); }, waits}).failure == asleep);
  CHECK(explore({[](Shared& s) { s.x.store(1, release), s.x.notify_one(); }, waits}).failure ==
        asleep);
}

TEST_CASE("a loop that nobody ends is a way without end, or a state that was there before") {
  const Body loops = [](Shared& s) {
    while (s.x.load(relaxed) == 0) s.y.fetch_add(1, relaxed);
  };
  CHECK(explore({loops}).failure == "too many stores");
}
