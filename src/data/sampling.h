// Which image is sample i of a worker's step t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace easgd {

/// How the workers divide the training set.
enum class Partition {
  whole,   ///< every worker goes through the whole set, each in its own order (the paper)
  shard,   ///< every worker goes through its own 1/p of the set, the same for the whole run
  chunks,  ///< as whole, but reads runs of neighbours: see Sampling
};

enum class SampleOrder { shuffled, sequential };

struct SamplingOptions {
  std::size_t samples = 0;  ///< of the set that are used: the first ones
  std::size_t batch = 128;
  Partition partition = Partition::whole;
  SampleOrder order = SampleOrder::shuffled;
  std::uint64_t seed = 1;
  std::uint32_t worker = 0;
  std::uint32_t workers = 1;
};

/// A worker's endless sequence of samples, computed from its position: sample i of step t stands at
/// t * batch + i. Passes follow one another without a gap, so a batch may hold the end of one pass
/// and the beginning of the next. A pass visits each of the worker's samples once.
///
///   whole       a new permutation of the set in every pass, different for every worker.
///   shard       one permutation of the set for the run, the same for all workers, is cut into p
///               parts whose sizes differ by at most one; worker w passes through part w, in a new
///               order every time.
///   chunks      the prefetching of the paper: chunks of 512 neighbours come in random order, and
///               8 chunks at a time are shuffled together. Where the first chunk begins is new
///               in every pass, so that neighbours do not stay together. The paper serves chunks to
///               whichever worker asks first; here each worker has its own order, a function of
///               counters.
///   sequential  file order without chance. whole: worker w takes the batches w, w + p, w + 2p ...
///               of the wrapping sequence. shard: worker w's part is the w-th run of neighbours.
///
/// Thread: immutable.
/// Throws: ConfigError if a shard would be empty, or chunks are to be sequential (constructor).
/// Source: [EASGD15] section 4 and its supplement on data loading, for whole and chunks.
class Sampling {
 public:
  static constexpr std::size_t kChunk = 512;
  static constexpr std::size_t kChunksTogether = 8;

  explicit Sampling(const SamplingOptions& options);

  /// The number of the image that is sample `index` of a step, index < batch.
  std::size_t image_of(std::uint64_t step, std::size_t index) const;

  /// Images [first, first + count).
  struct Run {
    std::size_t first, count;
  };
  /// Of chunks, when a step is the first that has samples of some that are shuffled together: the
  /// runs of those that come after them; at step 0 of these too. Else none.
  std::vector<Run> coming(std::uint64_t step) const;

 private:
  void add_runs(std::uint64_t group, std::vector<Run>& to) const;

  std::size_t whole(std::uint64_t pass, std::size_t position) const;
  std::size_t shard(std::uint64_t pass, std::size_t position) const;
  std::size_t chunked(std::uint64_t pass, std::size_t position) const;
  std::size_t start_of(std::uint64_t pass, std::size_t place) const;

  SamplingOptions options_;
  std::size_t first_ = 0;  ///< of the worker's part; 0 but for shards
  std::size_t count_ = 0;  ///< samples in the worker's part
};

}  // namespace easgd
