// What the evaluator tests a center with.
#pragma once

#include <functional>
#include <memory>

#include "backend/backend.h"
#include "data/evaluation_loader.h"
#include "data/loader.h"
#include "evaluate/evaluator.h"
#include "evaluate/run_inputs.h"
#include "nn/network.h"
#include "settings/config.h"

namespace easgd {

/// The test set, and, if network.statistics = "recompute" the training batches whose statistics
/// a state is given before it is evaluated: the means over as many whole batches as
/// network.statistics_samples has, at least one.
/// Thread: belongs to the one that made it.
class TestSet final : public CenterTest {
 public:
  /// `config.evaluate` says how many samples at a time, on how many threads.
  /// `gives_up` is asked before every batch.
  TestSet(
      const Config& config, const Data& data, const Network& network,
      std::function<bool()> gives_up = [] { return false; });
  bool prepare(View state) override;
  Tally evaluate(ConstView state) override;

 private:
  void check_time() const;

  const std::function<bool()> gives_up_;
  std::unique_ptr<Backend> backend_;  // before the batches, whose memory may be its own
  EvaluationLoader batches_;
  std::unique_ptr<Model> model_;
  Buffer state_;
  const std::size_t parameters_;
  const Dataset& train_;
  std::size_t observed_batches_ = 0;  // 0 if statistics stay as they are
  LoaderOptions observed_options_;
  std::unique_ptr<Loader> observed_;  // made by the first prepare()
};

}  // namespace easgd
