#include "data/sampling.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "base/error.h"
#include "data/permutation.h"

namespace easgd {
namespace {

/// Stands for "all workers" in the counter of what they share.
constexpr std::uint32_t kEveryone = 0xFFFF;

/// Parts of a pass that are shuffled by themselves: 0 is the pass, from 1 on the groups of chunks.
constexpr std::uint32_t kFirstGroup = 1;

constexpr std::size_t kGroup = Sampling::kChunk * Sampling::kChunksTogether;

kernels::Random shuffle(std::uint64_t seed, std::uint32_t worker) {
  return {seed, kernels::Stream::shuffle, worker};
}

}  // namespace

Sampling::Sampling(const SamplingOptions& options) : options_(options), count_(options.samples) {
  assert(options.samples > 0 && options.worker < options.workers && options.workers < kEveryone);
  if (options.batch == 0) throw KeyError("workers.batch", "expected at least 1, found 0");
  if (options.partition == Partition::chunks && options.order == SampleOrder::sequential)
    throw KeyError("data.order",
                   "\"sequential\" does not go with data.partition = \"chunks\"; use \"whole\"");
  if (options.partition != Partition::shard) return;
  if (options.workers > options.samples)
    throw KeyError("data.partition",
                   "\"shard\" leaves workers without data: " + std::to_string(options.workers) +
                       " workers, " + std::to_string(options.samples) + " samples");
  first_ = options.samples * options.worker / options.workers;
  count_ = options.samples * (options.worker + 1) / options.workers - first_;
}

std::size_t Sampling::image_of(std::uint64_t step, std::size_t index) const {
  assert(index < options_.batch);
  const bool whole_set = options_.partition == Partition::whole;
  const bool sequential = options_.order == SampleOrder::sequential;
  const std::uint64_t batch =
      sequential && whole_set ? step * options_.workers + options_.worker : step;
  const std::uint64_t position = batch * options_.batch + index;
  const std::uint64_t pass = position / count_;
  const std::size_t rest = position % count_;
  if (sequential) return first_ + rest;
  if (whole_set) return whole(pass, rest);
  if (options_.partition == Partition::shard) return shard(pass, rest);
  return chunked(pass, rest);
}

std::size_t Sampling::whole(std::uint64_t pass, std::size_t position) const {
  return Permutation(count_, shuffle(options_.seed, options_.worker), pass)(position);
}

std::size_t Sampling::shard(std::uint64_t pass, std::size_t position) const {
  const Permutation common(options_.samples, shuffle(options_.seed, kEveryone));
  return common(first_ + whole(pass, position));
}

/// The order of the whole chunks is random; what is left of the set behind them comes last. All
/// of it is turned round by a random offset.
std::size_t Sampling::chunked(std::uint64_t pass, std::size_t position) const {
  const kernels::Random random = shuffle(options_.seed, options_.worker);
  const std::size_t group = position / kGroup;
  const std::size_t begin = group * kGroup;
  const Permutation together(std::min(kGroup, count_ - begin), random, pass,
                             kFirstGroup + static_cast<std::uint32_t>(group));
  const std::size_t mixed = begin + together(position - begin);

  return (start_of(pass, mixed / kChunk) + mixed % kChunk) % count_;
}

/// Where the chunk begins that is at a place in the order of a pass.
std::size_t Sampling::start_of(std::uint64_t pass, std::size_t place) const {
  const kernels::Random random = shuffle(options_.seed, options_.worker);
  const std::size_t full_chunks = count_ / kChunk;
  if (place < full_chunks) place = Permutation(full_chunks, random, pass)(place);
  const std::size_t offset = random.at(pass, ~0u).below(0, static_cast<std::uint32_t>(count_));
  return (offset + place * kChunk) % count_;
}

/// Groups of chunks are counted through all passes.
std::vector<Sampling::Run> Sampling::coming(std::uint64_t step) const {
  if (options_.partition != Partition::chunks) return {};
  const std::uint64_t groups = (count_ + kGroup - 1) / kGroup;
  const auto last_group = [&](std::uint64_t of) {
    const std::uint64_t position = (of + 1) * options_.batch - 1;
    return position / count_ * groups + position % count_ / kGroup;
  };
  std::vector<Run> runs;
  for (std::uint64_t group = step == 0 ? 0 : last_group(step - 1) + 2;
       group <= last_group(step) + 1; ++group) {
    add_runs(group, runs);
  }
  return runs;
}

void Sampling::add_runs(std::uint64_t group, std::vector<Run>& to) const {
  const std::uint64_t groups = (count_ + kGroup - 1) / kGroup, pass = group / groups;
  const std::size_t begin = std::size_t(group % groups) * kGroup;
  const std::size_t end = std::min(begin + kGroup, count_);
  for (std::size_t place = begin; place < end; place += kChunk) {
    const std::size_t first = start_of(pass, place / kChunk);
    const std::size_t count = std::min(kChunk, end - place);
    const std::size_t before_end = std::min(count, count_ - first);
    to.push_back({first, before_end});
    if (count > before_end) to.push_back({0, count - before_end});
  }
}

}  // namespace easgd
