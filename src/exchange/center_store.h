// The center in the memory of its device, or the same center on each of several.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "backend/backend.h"
#include "backend/collective.h"

namespace easgd {

/// A copy of the center, and what the algorithm keeps beside it.
struct CenterReplica {
  std::unique_ptr<Backend> backend;
  Buffer center;  ///< [P]
  std::unique_ptr<CenterRule> rule;
};

class LetterBuffer;

/// Thread: the master's, which makes and destroys it.
class CenterStore {
 public:
  virtual ~CenterStore() = default;

  /// The copy that absorbs a worker's letters, and on whose device they lie.
  virtual CenterReplica& replica_of(std::size_t worker) = 0;
  /// Brings the letters of a round to their replicas. squared[i] becomes the squared distance of
  /// letter i from the center, or from zero if it carries a change; not finite if an element is
  /// not.
  virtual void fetch(std::span<LetterBuffer* const> letters, std::span<double> squared) = 0;
  /// Absorbs letters that meet the same center. Their replies may be read after finish().
  virtual void absorb(std::span<const Letter> letters) = 0;
  virtual void finish() = 0;
  /// After a failure: nobody waits for a device that has failed any more.
  virtual void give_up() {}

  /// All copies: the first is viewed, the others are there if its device fails.
  std::span<const CenterReplica> replicas() const { return replicas_; }

 protected:
  std::vector<CenterReplica> replicas_;
};

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

/// What each replica starts as.
struct CenterStart {
  const Algorithm& algorithm;
  const RuleOptions& options;
  ConstView x0;  ///< [P] in host memory
};

/// A replica on a device that `make` makes.
CenterReplica make_replica(const MakeBackend& make, const CenterStart& start);

/// The center on one device.
std::unique_ptr<CenterStore> make_single_center(const MakeBackend& device,
                                                const CenterStart& start);

/// A copy on the device of every worker, for rounds of all workers. No letter moves: each copy
/// absorbs the same sum of what the rule says of each letter, so the copies stay the same bits.
std::unique_ptr<CenterStore> make_replicated_center(std::span<const MakeBackend> devices,
                                                    const MakeCollective& collective,
                                                    const CenterStart& start);

}  // namespace easgd
