#include "exchange/center_store.h"
#include "exchange/letter_buffer.h"

namespace easgd {
namespace {

class SingleCenter final : public CenterStore {
 public:
  SingleCenter(const MakeBackend& device, const CenterStart& start) {
    replicas_.push_back(make_replica(device, start));
  }

  CenterReplica& replica_of(std::size_t) override { return replicas_[0]; }

  /// One after another: a device measures one letter at a time.
  void fetch(std::span<LetterBuffer* const> letters, std::span<double> squared) override {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      letters[i]->start_fetch();
      squared[i] = letters[i]->squared_distance();
    }
  }

  void absorb(std::span<const Letter> letters) override {
    replicas_[0].rule->absorb(Round(letters), replicas_[0].center);
  }

  void finish() override { replicas_[0].backend->finish(); }
};

}  // namespace

std::unique_ptr<CenterStore> make_single_center(const MakeBackend& device,
                                                const CenterStart& start) {
  return std::make_unique<SingleCenter>(device, start);
}

}  // namespace easgd
