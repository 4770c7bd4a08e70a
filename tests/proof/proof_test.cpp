// Is the exchange sound, whatever threads and processors do? Mailbox, bell and snapshot slot as
// they are, in every order of operations and with every value that a load may read.
//
// $EASGD_PROOF=large goes through larger scenarios too, in minutes.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <set>
#include <utility>

#include "broken_mailbox.h"
#include "crew_scenario.h"
#include "exchange_scenario.h"
#include "heir_scenario.h"
#include "snapshot_scenario.h"
#include "standstill_scenario.h"

using namespace easgd;
using namespace easgd::proof;

namespace {

struct Named {
  std::string name;
  MakeScenario make;
};

template <class Box = Mailbox>
Named exchange(const char* name, const Plan& plan, Misuse misuse = Misuse::none) {
  return {name, [=]() -> Scenario* { return new ExchangeScenario<Box>(plan, misuse); }};
}

Named snapshots(const char* name, Time time, Evaluates evaluates = Evaluates::well,
                Keeper keeper = Keeper::none) {
  return {name, [=]() -> Scenario* { return new SnapshotScenario(3, time, evaluates, keeper); }};
}

/// One worker: each through all its states in a moment.
template <class Box>
std::vector<Named> pairs() {
  return {
      exchange<Box>("letters", {.workers = 1, .letters = 3}),
      exchange<Box>("refusals and marks",
                    {.workers = 1, .letters = 2, .refuses = true, .marks = true}),
      exchange<Box>("pulls", {.workers = 1, .letters = 2, .pulls = true}),
      exchange<Box>("a worker fails", {.workers = 1, .letters = 2, .leaves = true}),
      exchange<Box>("a master fails", {.workers = 1, .letters = 2, .fails = true}),
      exchange<Box>("both fail", {.workers = 1, .letters = 2, .leaves = true, .fails = true}),
      exchange<Box>("a stop", {.workers = 1, .letters = 2, .stops = true}),
  };
}

std::vector<Named> slots() {
  return {snapshots("snapshots", Time::real), snapshots("snapshots, waiting", Time::virtual_time)};
}

Named crew(std::size_t helpers, std::size_t rounds, std::size_t tasks) {
  return {"a crew", [=]() -> Scenario* { return new CrewScenario(helpers, rounds, tasks); }};
}

std::vector<Named> small() {
  std::vector<Named> all = pairs<Mailbox>();
  for (Named& slot : slots()) all.push_back(slot);
  all.push_back(crew(1, 2, 2));
  return all;
}

bool is_large() {
  const char* wanted = std::getenv("EASGD_PROOF");
  return wanted && std::string(wanted) == "large";
}

std::string told(const Findings& found) {
  std::string text = found.failure.value_or("");
  for (const std::string& line : found.story) text += "\n  " + line;
  return text;
}

/// The first failure in any of them.
std::optional<std::string> failure_in(const std::vector<Named>& all,
                                      const std::vector<Weakening>& weaker = {}) {
  for (const Named& scenario : all) {
    const Findings found = Explorer({}, weaker).explore(scenario.make);
    if (found.failure) return scenario.name + ": " + *found.failure;
    CHECK(found.is_exhausted);
  }
  return std::nullopt;
}

void check_all_states(const Named& scenario, Bounds bounds = {}) {
  CAPTURE(scenario.name);
  const Findings found = Explorer(bounds).explore(scenario.make);
  INFO(told(found));
  CHECK_FALSE(found.failure);
  CHECK(found.is_exhausted);
  if (is_large()) {
    fmt::print("{}: {} states, {} ways\n", scenario.name, found.states, found.ways);
    std::fflush(stdout);
  }
}

/// What is expected of an operation with a weaker order.
struct Row {
  Weakening weakening;
  bool matters;
  const char* why;
};

using enum std::memory_order;

const Row kRows[] = {
    {{"Bell::ring fetch_add", acq_rel}, true, "who sleeps is not seen: see Mailbox::change"},
    {{"Bell::ring fetch_add", release}, true, "the same"},
    {{"Bell::ring fetch_add", acquire}, true, "the same, and the post need not be seen"},
    {{"Bell::ring fetch_add", relaxed}, true, "the same"},
    {{"Bell::rings load", relaxed}, true, "a ring is heard, and the post before it is not seen"},
    {{"Bell::wait wait", relaxed}, false, "who was woken reads rings() anew"},
    {{"Mailbox::change compare_exchange", acq_rel}, true, "who sleeps is not seen"},
    {{"Mailbox::change compare_exchange", release}, true, "the same"},
    {{"Mailbox::change compare_exchange", acquire}, true, "a letter is read half written"},
    {{"Mailbox::change compare_exchange", relaxed}, true, "the same"},
    {{"Mailbox::state load", relaxed}, true, "a letter is read half written"},
    {{"Mailbox::wait_for_reply wait", relaxed}, false, "who was woken reads state() anew"},
    {{"SnapshotSlot::change exchange", acq_rel}, true, "who sleeps is not seen"},
    {{"SnapshotSlot::change exchange", release}, true, "the same"},
    {{"SnapshotSlot::change exchange", acquire}, true, "a snapshot is read half written"},
    {{"SnapshotSlot::change exchange", relaxed}, true, "the same"},
    {{"SnapshotSlot::offer load", relaxed}, true, "a snapshot is written while it is read"},
    {{"SnapshotSlot::take wait", relaxed}, false, "the load that follows acquires"},
    {{"SnapshotSlot::take load", relaxed}, false, "the wait before it has acquired"},
    {{"SnapshotSlot::wait_until_empty wait", relaxed}, true, "what the evaluator did is not seen"},
    {{"TaskGate::open store", relaxed}, true, "who enters late knows the round before"},
    {{"TaskGate::open fetch_add", acq_rel}, false, "who is not woken is not needed: it costs time"},
    {{"TaskGate::open fetch_add", release}, false, "the same"},
    {{"TaskGate::open fetch_add", acquire}, false, "the same"},
    {{"TaskGate::open fetch_add", relaxed}, false, "the same"},
    {{"TaskGate::close fetch_add", relaxed}, true, "what others did is not seen"},
    {{"TaskGate::close load", relaxed}, true, "the same"},
    {{"TaskGate::end fetch_add", acq_rel}, true, "who sleeps is not seen"},
    {{"TaskGate::end fetch_add", release}, true, "the same"},
    {{"TaskGate::end fetch_add", acquire}, true, "the same"},
    {{"TaskGate::end fetch_add", relaxed}, true, "the same"},
    {{"TaskGate::enter load", relaxed}, true, "the end is heard of, and not seen"},
    {{"TaskGate::enter compare_exchange", relaxed}, true, "the round is entered, and not known"},
    {{"TaskGate::leave fetch_add", acq_rel}, true, "who sleeps is not seen"},
    {{"TaskGate::leave fetch_add", release}, true, "the same"},
    {{"TaskGate::leave fetch_add", acquire}, true, "what was done is not seen"},
    {{"TaskGate::leave fetch_add", relaxed}, true, "the same"},
};

std::vector<std::memory_order> weaker_than(std::memory_order order) {
  if (order == seq_cst) return {acq_rel, release, acquire, relaxed};  // of a read-modify-write
  if (order == relaxed) return {};
  return {relaxed};
}

template <Flaw kFlaw>
void check_flaw(const char* seen_as) {
  CAPTURE(int(kFlaw));
  const auto failure = failure_in(pairs<BrokenMailbox<kFlaw>>());
  REQUIRE(failure);
  INFO(*failure);
  CHECK(failure->find(seen_as) != std::string::npos);
}

}  // namespace

TEST_CASE("a worker and a master, a master and an evaluator: sound in every state") {
  for (const Named& scenario : small()) check_all_states(scenario);
}

TEST_CASE(
    "a master and an evaluator, for whom a keeper of checkpoints waits: sound in every state") {
  for (const Time time : {Time::real, Time::virtual_time}) {
    check_all_states(snapshots("keeper", time, Evaluates::well, Keeper::waits));
  }
}

TEST_CASE("two workers and a master: sound in every state") {
  check_all_states(exchange("two workers", {}));
  if (!is_large()) return;
  check_all_states(exchange("two, refusals and marks", {.refuses = true, .marks = true}));
  check_all_states(exchange("two, a worker fails", {.leaves = true}));
  check_all_states(exchange("two, a master fails", {.fails = true}));
  check_all_states(exchange("two, a stop", {.stops = true}));
  check_all_states(exchange("two, two letters", {.letters = 2}), {.preemptions = 3});
}

TEST_CASE("a worker that is given up, its heir or none, and a master: sound in every state") {
  const std::uint64_t letters = is_large() ? 2 : 1;
  for (const Seat seat : {Seat::to_heir, Seat::to_nobody}) {
    check_all_states({"given up", [=]() -> Scenario* { return new HeirScenario(letters, seat); }});
  }
}

TEST_CASE("a worker that stands still while its master fails is given up in every state") {
  check_all_states({"stands still", [] { return new StandstillScenario(); }});
}

TEST_CASE("the threads of a crew, in rounds of tasks: sound in every state") {
  check_all_states(crew(1, 2, 2));
  check_all_states(crew(2, 1, 2));
  if (is_large()) check_all_states(crew(2, 2, 2));
}

TEST_CASE("a weaker order is found out, or shown not to matter") {
  for (const Row& row : kRows) {
    CAPTURE(row.weakening.site);
    CAPTURE(int(row.weakening.order));
    CAPTURE(row.why);
    const auto failure = failure_in(small(), {row.weakening});
    CAPTURE(failure.value_or("sound"));
    CHECK(failure.has_value() == row.matters);
    if (!row.matters && is_large()) CHECK_FALSE(failure_in({exchange("two", {})}, {row.weakening}));
  }
  CHECK(failure_in(slots(), {{"SnapshotSlot::take wait"}, {"SnapshotSlot::take load"}}));
}

TEST_CASE("the table has every order that the exchange names") {
  std::set<std::pair<std::string, std::memory_order>> in_table, there;
  for (const Row& row : kRows) in_table.emplace(row.weakening.site, row.weakening.order);
  for (const Named& scenario : small()) {
    for (const auto& [site, order] : Explorer().explore(scenario.make).sites) {
      if (site.starts_with("ExchangeScenario")) continue;
      for (const std::memory_order weaker : weaker_than(order)) there.emplace(site, weaker);
    }
  }
  CHECK(in_table == there);
}

TEST_CASE("mistakes in the mailbox are found") {
  CHECK_FALSE(failure_in(pairs<BrokenMailbox<Flaw::none>>()));
  check_flaw<Flaw::rings_before_it_posts>("sleeps for ever");
  check_flaw<Flaw::answers_by_a_store>("sleeps for ever");
  check_flaw<Flaw::notifies_before_it_answers>("sleeps for ever");
  check_flaw<Flaw::writes_the_answer_late>("a race");
  check_flaw<Flaw::reads_the_answer_early>("a race");
  check_flaw<Flaw::sleeps_without_a_look>("an answer that holds nothing");
  check_flaw<Flaw::leaves_in_silence>("sleeps for ever");
  check_flaw<Flaw::leaves_with_a_letter_out>("a letter was lost");
  check_flaw<Flaw::closes_in_silence>("sleeps for ever");
  check_flaw<Flaw::closes_who_has_left>("sleeps for ever");
}

TEST_CASE("mistakes in the use of mailbox and slot are found") {
  const auto found = [](const Named& scenario, const char* seen_as) {
    return failure_in({scenario}).value_or("sound").find(seen_as) != std::string::npos;
  };
  const auto misused = [](Misuse misuse) {
    return exchange("", {.workers = 1, .letters = 2}, misuse);
  };
  CHECK(found(misused(Misuse::looks_before_the_bell), "sleeps for ever"));
  CHECK(found(misused(Misuse::reads_before_it_waits), "another's reply"));
  CHECK(found(misused(Misuse::posts_before_it_reads), "a race"));
  CHECK(found(snapshots("", Time::real, Evaluates::after_release), "a race"));
  // The next reply is not written before the next letter is posted.
  CHECK(found(misused(Misuse::releases_before_it_reads), "sound"));
}
