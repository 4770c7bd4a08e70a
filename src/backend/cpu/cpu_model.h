// A network compiled for the CPU.
//
// A batch is cut into pieces, and a piece goes through the network on one thread: the crew shares
// out pieces, not layers. They meet where samples depend on each other (batch normalisation), and
// at the end, where their gradients are added in a fixed order.
#pragma once

#include <memory>
#include <vector>

#include "backend/cpu/crew.h"
#include "backend/cpu/piece.h"
#include "backend/cpu/shared_work.h"
#include "backend/model.h"

namespace easgd::cpu {

class CpuModel final : public Model {
 public:
  /// Of a piece, if there are pieces enough.
  static constexpr std::size_t kFewestSamples = 8, kMostSamples = 128;
  static std::size_t samples_of_piece(const Network& network);
  static std::size_t count_pieces(std::size_t batch, std::size_t samples, std::size_t threads);

  /// `crew` outlives the model.
  /// Throws: ConfigError for a precision or a layer the CPU does not have, DeviceError.
  CpuModel(const Network& network, const ModelOptions& options, Crew& crew);

  void gradient(ConstView x, const Batch& batch, View g, View statistics) override;
  void evaluate(ConstView state, const Batch& batch) override;
  void score(ConstView state, const Batch& batch, View scores) override;
  void observe(ConstView x, const Batch& batch, float weight, View statistics) override;
  Tally take_tally() override;
  void give_back(const Tally& tally) override { tally_ += tally; }
  std::size_t memory() const override;
  /// That of a model on so many threads, about, found by making a piece of it, or two small ones.
  static std::size_t predict_memory(const Network& network, const ModelOptions& options,
                                    int threads);

 private:
  struct Part {
    std::unique_ptr<Piece> piece;
    Buffer gradient = {};  ///< [P], but for the first, whose gradient is the model's
    CpuPass pass = {};
  };
  /// A layer for which the pieces meet.
  struct Meeting {
    std::size_t layer;
    std::vector<MeetingLayer*> pieces;
  };
  struct SharedTask {
    SharedWork* work;
    std::size_t task;
  };

  std::size_t begin(const PassArguments& arguments, const Batch& batch, View scores = {});
  void forward(ConstView state, const Batch& batch, View scores = {});
  std::size_t forward_to_last_meeting(std::size_t pieces);
  void survey_backward(const Meeting& meeting, std::size_t piece);
  void backward_from_last_meeting();
  void prepare_shared(ConstView x);
  void deliver_shared(View g);
  void add_gradients(View g);
  void take_tallies();

  const std::size_t batch_, statistics_;
  const bool training_;
  Crew& crew_;
  SharedWorks shared_;
  /// Of all layers in one row: a round of the crew has its price.
  std::vector<SharedTask> preparations_, deliveries_;
  std::vector<Part> parts_;
  std::vector<Meeting> meetings_;  ///< from the first layer to the last
  Tally tally_;
};

}  // namespace easgd::cpu
