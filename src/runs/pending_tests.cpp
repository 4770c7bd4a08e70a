#include "runs/pending_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "exchange/saved_tally.h"

namespace easgd {
namespace {

std::string section_of(std::size_t index) {
  return "postponed " + std::to_string(index);
}

/// Throws: DataError if it is no snapshot of such a run.
CenterView view_of(const SavedState& saved, const Network& network, std::size_t workers) {
  const ConstView state = saved.vector("state", network.state_count());
  return {.center = state.first(network.parameter_count()),
          .statistics = state.last(network.statistic_count()),
          .version = saved.counter("version"),
          .steps = saved.counts("steps", workers),
          .train = load_tally(saved, "")};
}

}  // namespace

void PendingTests::add(const CenterView& center, double seconds) {
  SavedState saved;
  std::vector<float>& state = saved.vectors["state"];
  state.resize(center.center.size() + center.statistics.size());
  center.copy_to(state);
  saved.counters["version"] = {center.version};
  saved.counters["steps"].assign(center.steps.begin(), center.steps.end());
  save_tally(saved, "", center.train);
  saved.numbers["seconds"] = {seconds};
  end(center.version);  // given up, and to be done once more
  const std::lock_guard lock(mutex_);
  all_.push_back(std::move(saved));
}

void PendingTests::end(std::uint64_t version) {
  const std::lock_guard lock(mutex_);
  std::erase_if(all_,
                [version](const SavedState& test) { return test.counter("version") == version; });
}

void PendingTests::save(Checkpoint& checkpoint) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].counter("version") > checkpoint.version) return;
    checkpoint.sections[section_of(i)] = all_[i];
  }
}

void PendingTests::load(const Checkpoint& checkpoint, const std::vector<std::uint64_t>& tested,
                        const Network& network, std::size_t workers) {
  const std::lock_guard lock(mutex_);
  all_.clear();
  std::uint64_t before = 0;
  for (std::size_t i = 0; const SavedState* saved = checkpoint.find(section_of(i)); ++i) {
    in_section(section_of(i), [&] {
      const std::uint64_t version = view_of(*saved, network, workers).version;
      saved->number("seconds");
      if (version < before || version > checkpoint.version) {
        throw DataError(fmt::format("\"version\": is {}, expected {} to {}", version, before,
                                    checkpoint.version));
      }
      before = version;
      if (std::ranges::count(tested, version) == 0) all_.push_back(*saved);
    });
  }
}

void PendingTests::offer_all(const Network& network, std::size_t workers,
                             Evaluator& evaluator) const {
  for (const SavedState& saved : all()) {
    evaluator.wait();
    evaluator.offer(view_of(saved, network, workers), saved.number("seconds"));
  }
}

}  // namespace easgd
