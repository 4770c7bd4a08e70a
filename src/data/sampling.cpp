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

Partition partition_named(std::string_view name) {
  if (name == "whole") return Partition::whole;
  if (name == "shard") return Partition::shard;
  if (name == "chunks") return Partition::chunks;
  throw KeyError("data.partition", "\"" + std::string(name) + "\" is not whole, shard or chunks");
}

Order order_named(std::string_view name) {
  if (name == "shuffled") return Order::shuffled;
  if (name == "sequential") return Order::sequential;
  throw KeyError("data.order", "\"" + std::string(name) + "\" is not shuffled or sequential");
}

Sampling::Sampling(const SamplingOptions& options) : options_(options), count_(options.samples) {
  assert(options.samples > 0 && options.worker < options.workers && options.workers < kEveryone);
  if (options.batch == 0) throw KeyError("workers.batch", "expected at least 1, found 0");
  if (options.partition == Partition::chunks && options.order == Order::sequential)
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

void Sampling::fill(std::uint64_t step, std::span<std::size_t> to) const {
  assert(to.size() == options_.batch);
  const bool whole_set = options_.partition == Partition::whole;
  const bool sequential = options_.order == Order::sequential;
  const std::uint64_t batch =
      sequential && whole_set ? step * options_.workers + options_.worker : step;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::uint64_t place = batch * options_.batch + i;
    const std::uint64_t pass = place / count_;
    const std::size_t rest = place % count_;
    if (sequential)
      to[i] = first_ + rest;
    else if (whole_set)
      to[i] = whole(pass, rest);
    else if (options_.partition == Partition::shard)
      to[i] = shard(pass, rest);
    else
      to[i] = chunked(pass, rest);
  }
}

std::size_t Sampling::whole(std::uint64_t pass, std::size_t place) const {
  return Permutation(count_, shuffle(options_.seed, options_.worker), pass)(place);
}

std::size_t Sampling::shard(std::uint64_t pass, std::size_t place) const {
  const Permutation common(options_.samples, shuffle(options_.seed, kEveryone));
  return common(first_ + whole(pass, place));
}

/// The order of the whole chunks is random; what is left of the set behind them comes last. All
/// of it is turned round by a random offset.
std::size_t Sampling::chunked(std::uint64_t pass, std::size_t place) const {
  constexpr std::size_t kGroup = kChunk * kChunksTogether;
  const kernels::Random random = shuffle(options_.seed, options_.worker);
  const std::size_t group = place / kGroup;
  const std::size_t begin = group * kGroup;
  const Permutation together(std::min(kGroup, count_ - begin), random, pass,
                             kFirstGroup + static_cast<std::uint32_t>(group));
  const std::size_t mixed = begin + together(place - begin);

  const std::size_t full_chunks = count_ / kChunk;
  std::size_t chunk = mixed / kChunk;
  if (chunk < full_chunks) chunk = Permutation(full_chunks, random, pass)(chunk);
  const std::size_t offset = random.at(pass, ~0u).below(0, static_cast<std::uint32_t>(count_));
  return (offset + chunk * kChunk + mixed % kChunk) % count_;
}

}  // namespace easgd
