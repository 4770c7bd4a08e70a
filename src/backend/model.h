// A network that a backend has compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "backend/tally.h"
#include "base/check.h"
#include "base/view.h"
#include "data/batch.h"

namespace easgd {

/// A network compiled for one device and one batch size. Belongs to the thread that made it.
class Model {
 public:
  virtual ~Model() = default;
  /// g [P] = gradient of the mean loss over the batch, at parameters x [P]. Moves the running
  /// statistics [S] towards the batch's; an empty view if nobody wants them. A batch may be
  /// smaller than the compiled size only in `evaluate` and `score`.
  virtual void gradient(ConstView x, const Batch& batch, View g, View statistics) = 0;
  /// Loss and hits only, with the state [P + S]: dropout and label smoothing off, running
  /// statistics used.
  virtual void evaluate(ConstView state, const Batch& batch) = 0;
  /// The same without a tally: what the network says of each class. scores [N][K]: what the loss
  /// takes its softmax of, in host memory, done on return.
  virtual void score(ConstView /*state*/, const Batch& /*batch*/, View /*scores*/) {
    EASGD_CHECK(false, "a model that is no network has no scores");
  }
  /// statistics [S] += weight (the batch's at x [P], dropout off - statistics). Nothing is tallied.
  virtual void observe(ConstView x, const Batch& batch, float weight, View statistics) = 0;
  /// Loss and hits of the batches finished since the last call. Does not wait for those in flight;
  /// after Backend::finish there are none.
  virtual Tally take_tally() = 0;
  /// Counts on from a tally that was taken: it is part of the next.
  virtual void give_back(const Tally& tally) = 0;
  /// Bytes of activations and workspaces.
  virtual std::size_t memory() const = 0;
};

struct ModelOptions {
  std::size_t batch = 0;
  bool training = true;  ///< false: `evaluate` and `score` only, no memory for gradients
  bool graphs = true;    ///< CUDA: a step is recorded once and then launched as one piece of work
  bool plan_search = false;  ///< CUDA: of several plans for a convolution the fastest is taken
  std::string precision = "f32";
  std::uint64_t seed = 0;  ///< of the dropout masks
};

}  // namespace easgd
