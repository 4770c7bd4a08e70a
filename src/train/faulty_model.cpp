#include "train/faulty_model.h"

#include <chrono>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/error.h"

namespace easgd {
namespace {

using Kind = Fault::Kind;

class FaultyModel final : public Model {
 public:
  FaultyModel(std::vector<Fault> faults, Backend& backend, std::unique_ptr<Model> inner,
              std::optional<std::uint64_t> began)
      : faults_(std::move(faults)), backend_(backend), inner_(std::move(inner)), began_(began) {}

  void gradient(ConstView x, const Batch& batch, View g, View statistics) override {
    if (const Fault* fault = struck(batch.step, Kind::stalls)) {
      std::this_thread::sleep_for(std::chrono::duration<double>(fault->amount));
    }
    if (const Fault* fault = struck(batch.step, Kind::throws)) {
      throw std::runtime_error("debug.fail: " + fault->sentence);
    }
    if (struck(batch.step, Kind::runs_out_of_memory)) throw std::bad_alloc();
    if (const Fault* fault = struck(batch.step, Kind::loses_its_device)) {
      throw DeviceError(backend_.device() + ": debug.fail: " + fault->sentence);
    }
    if (const Fault* fault = struck(batch.step, Kind::loses_its_data)) {
      throw DataError("debug.fail: " + fault->sentence);
    }
    const Fault* loss = struck(batch.step, Kind::multiplies_its_loss);
    const Tally before = loss ? inner_->take_tally() : Tally();
    inner_->gradient(x, batch, g, statistics);
    if (loss) multiply_loss(loss->amount, before);
    if (struck(batch.step, Kind::sends_nan)) {
      const float nan = std::numeric_limits<float>::quiet_NaN();
      backend_.upload({&nan, 1}, g.first(1));
    }
  }
  void evaluate(ConstView state, const Batch& batch) override { inner_->evaluate(state, batch); }
  void observe(ConstView x, const Batch& batch, float weight, View statistics) override {
    inner_->observe(x, batch, weight, statistics);
  }
  Tally take_tally() override { return inner_->take_tally(); }
  void give_back(const Tally& tally) override { inner_->give_back(tally); }
  std::size_t memory() const override { return inner_->memory(); }

 private:
  const Fault* struck(std::uint64_t step, Kind kind) const {
    for (const Fault& fault : faults_) {
      if (fault.kind == kind && fault.strikes(step, began_)) return &fault;
    }
    return nullptr;
  }

  void multiply_loss(double factor, Tally before) {
    backend_.finish();
    Tally own = inner_->take_tally();
    own.loss *= factor;
    before += own;
    inner_->give_back(before);
  }

  const std::vector<Fault> faults_;
  Backend& backend_;
  std::unique_ptr<Model> inner_;
  const std::optional<std::uint64_t> began_;
};

}  // namespace

std::unique_ptr<Model> with_faults(std::vector<Fault> faults, Backend& backend,
                                   std::unique_ptr<Model> model,
                                   std::optional<std::uint64_t> began) {
  return std::make_unique<FaultyModel>(std::move(faults), backend, std::move(model), began);
}

}  // namespace easgd
