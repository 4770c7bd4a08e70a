#include "runs/evaluation_log.h"

#include "exchange/saved_tally.h"

namespace easgd {
namespace {

void append(SavedState& saved, const std::string& name, const Tally& tally) {
  saved.numbers[name + ".loss"].push_back(tally.loss);
  saved.counters[name + ".hits"].push_back(std::uint64_t(tally.hits));
  saved.counters[name + ".samples"].push_back(std::uint64_t(tally.samples));
  saved.counters[name + ".top5_hits"].push_back(std::uint64_t(tally.top5_hits));
}

/// The tallies of `count` evaluations. Earlier programs do not know hits among the five highest.
std::vector<Tally> load_tallies(const SavedState& saved, const std::string& name,
                                std::size_t count) {
  std::vector<Tally> tallies;
  for (std::size_t i = 0; i < count; ++i) {
    const auto samples = [&](const std::string& counter) {
      return samples_of(counter, saved.counts(counter, count)[i]);
    };
    const std::string top5 = name + ".top5_hits";
    const bool has_top5 = saved.counters.contains(top5) &&
                          saved.counts(top5, count)[i] != std::uint64_t(Tally::kUnknown);
    tallies.push_back({.loss = saved.list(name + ".loss", count)[i],
                       .hits = samples(name + ".hits"),
                       .samples = samples(name + ".samples"),
                       .top5_hits = has_top5 ? samples(top5) : Tally::kUnknown});
  }
  return tallies;
}

}  // namespace

SavedState EvaluationLog::saved_up_to(std::uint64_t version) const {
  SavedState saved;
  std::uint64_t count = 0;
  for (const Evaluation& e : all()) {
    if (e.version > version) continue;
    ++count;
    saved.numbers["seconds"].push_back(e.seconds);
    saved.counters["version"].push_back(e.version);
    auto& steps = saved.counters["steps"];
    steps.insert(steps.end(), e.steps.begin(), e.steps.end());
    append(saved, "train", e.train);
    append(saved, "test", e.test);
  }
  saved.counters["count"] = {count};
  saved.counters["version"];
  return saved;
}

void EvaluationLog::load(const SavedState& saved, std::size_t workers) {
  {
    const std::lock_guard lock(mutex_);
    all_.clear();
    best_error_ = 1;
  }
  const std::uint64_t count = saved.counter("count");
  if (count == 0) return;
  const std::vector<double>& seconds = saved.list("seconds", count);
  const std::vector<std::uint64_t>& versions = saved.counts("version", count);
  const std::vector<Tally> train = load_tallies(saved, "train", count);
  const std::vector<Tally> test = load_tallies(saved, "test", count);
  auto steps = saved.counts("steps", count * workers).begin();
  for (std::size_t i = 0; i < count; ++i, steps += std::ptrdiff_t(workers)) {
    const std::vector<std::uint64_t> of_workers(steps, steps + std::ptrdiff_t(workers));
    add({seconds[i], versions[i], of_workers, train[i], test[i]});
  }
}

}  // namespace easgd
