#include "runs/postponed_tests.h"

#include <string>
#include <utility>

namespace easgd {
namespace {

std::string section_of(std::size_t index) {
  return "postponed " + std::to_string(index);
}

}  // namespace

void PostponedTests::add(const Snapshot& snapshot) {
  const ConstView state = snapshot.center;
  SavedState saved;
  saved.vectors["state"].assign(state.begin(), state.end());
  saved.counters["version"] = {snapshot.version};
  saved.counters["steps"] = snapshot.steps;
  saved.counters["hits"] = {std::uint64_t(snapshot.train.hits)};
  saved.counters["samples"] = {std::uint64_t(snapshot.train.samples)};
  saved.numbers["loss"] = {snapshot.train.loss};
  saved.numbers["seconds"] = {snapshot.seconds};
  const std::lock_guard lock(mutex_);
  all_.push_back(std::move(saved));
}

void PostponedTests::save(Checkpoint& checkpoint) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].counter("version") > checkpoint.version) return;
    checkpoint.sections[section_of(i)] = all_[i];
  }
}

void offer_postponed(const Checkpoint& checkpoint, const Network& network, std::size_t workers,
                     Evaluator& evaluator) {
  for (std::size_t i = 0; const SavedState* saved = checkpoint.find(section_of(i)); ++i) {
    const ConstView state = saved->vector("state", network.state_count());
    const CenterView center{.center = state.first(network.parameter_count()),
                            .statistics = state.last(network.statistic_count()),
                            .version = saved->counter("version"),
                            .steps = saved->counts("steps", workers),
                            .train = {.loss = saved->number("loss"),
                                      .hits = std::int64_t(saved->counter("hits")),
                                      .samples = std::int64_t(saved->counter("samples"))}};
    evaluator.wait();
    evaluator.offer(center, saved->number("seconds"));
  }
}

}  // namespace easgd
