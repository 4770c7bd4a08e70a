#include <algorithm>

#include "base/check.h"
#include "exchange/center_store.h"
#include "exchange/letter_buffer.h"

namespace easgd {
namespace {

class ReplicatedCenter final : public CenterStore {
 public:
  ReplicatedCenter(std::span<const MakeBackend> devices, const MakeCollective& collective,
                   const CenterStart& start)
      : terms_(devices.size()) {
    EASGD_CHECK(start.algorithm.absorbs_sums, "an algorithm that needs each letter");
    std::vector<Backend*> backends;
    for (const MakeBackend& make : devices) {
      CenterReplica& replica = replicas_.emplace_back(make_replica(make, start));
      buffers_.push_back(replica.backend->allocate(start.x0.size()));
      sums_.push_back(buffers_.back());
      backends.push_back(replica.backend.get());
    }
    collective_ = collective(backends);
  }

  CenterReplica& replica_of(std::size_t worker) override { return replicas_[worker]; }

  /// All at once: each letter is on a device of its own.
  void fetch(std::span<LetterBuffer* const> letters, std::span<double> squared) override {
    for (LetterBuffer* letter : letters) letter->start_fetch();
    for (std::size_t i = 0; i < letters.size(); ++i) squared[i] = letters[i]->squared_distance();
  }

  /// The device of a worker that has left, or whose letter was refused, adds nothing and absorbs
  /// the sum of the others' like every device.
  void absorb(std::span<const Letter> letters) override {
    std::ranges::fill(terms_, ConstView());
    for (const Letter& letter : letters) {
      CenterReplica& replica = replicas_[letter.worker];
      terms_[letter.worker] = replica.rule->summand(letter, replica.center);
    }
    collective_->sum(terms_, sums_);
    collective_->finish();  // a sum that fails is not absorbed anywhere
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
      const auto own = std::ranges::find(letters, i, &Letter::worker);
      const std::span here(own, own == letters.end() ? 0 : 1);
      const Round round(here, letters.size(), letters.back().rates, sums_[i]);
      replicas_[i].rule->absorb(round, replicas_[i].center);
    }
  }

  void finish() override { collective_->finish(); }
  void give_up() override { collective_.reset(); }

 private:
  std::vector<Buffer> buffers_;
  std::vector<View> sums_;  // [P] of a round, on each device
  std::vector<ConstView> terms_;
  std::unique_ptr<Collective> collective_;
};

}  // namespace

std::unique_ptr<CenterStore> make_replicated_center(std::span<const MakeBackend> devices,
                                                    const MakeCollective& collective,
                                                    const CenterStart& start) {
  return std::make_unique<ReplicatedCenter>(devices, collective, start);
}

}  // namespace easgd
