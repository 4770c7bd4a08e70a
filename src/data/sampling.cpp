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
  constexpr std::size_t kGroup = kChunk * kChunksTogether;
  const kernels::Random random = shuffle(options_.seed, options_.worker);
  const std::size_t group = position / kGroup;
  const std::size_t begin = group * kGroup;
  const Permutation together(std::min(kGroup, count_ - begin), random, pass,
                             kFirstGroup + static_cast<std::uint32_t>(group));
  const std::size_t mixed = begin + together(position - begin);

  const std::size_t full_chunks = count_ / kChunk;
  std::size_t chunk = mixed / kChunk;
  if (chunk < full_chunks) chunk = Permutation(full_chunks, random, pass)(chunk);
  const std::size_t offset = random.at(pass, ~0u).below(0, static_cast<std::uint32_t>(count_));
  return (offset + chunk * kChunk + mixed % kChunk) % count_;
}

}  // namespace easgd
