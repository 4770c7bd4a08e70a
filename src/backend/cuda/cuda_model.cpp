#include "backend/cuda/cuda_model.h"

#include <fmt/format.h>

#include <cassert>
#include <limits>
#include <optional>
#include <utility>

#include "backend/cuda/cuda_backend.h"
#include "base/error.h"
#include "base/registry.h"
#include "nn/activation.h"

namespace easgd::cuda {
namespace {

const CudaLayerEntry& entry_of(const Stage& stage) {
  const CudaLayerEntry* entry = Registry<CudaLayerEntry>::find(stage.layer->kind());
  if (entry) return *entry;
  throw ConfigError(fmt::format("network: CUDA has no layer \"{}\"", stage.layer->kind()));
}

}  // namespace

CudaModel::CudaModel(const Network& network, const ModelOptions& options, cudaStream_t stream)
    : bench_(network, options, stream),
      input_(network.input(), options.batch, stream),
      counts_(options.batch, stream),
      graphs_(stream) {
  make_layers();
  bench_.finish();
}

CudaModel::~CudaModel() {
  cudaStreamSynchronize(bench_.stream());
}

/// For each stage the one that does its work: itself, or, for a ReLU, the one before.
std::vector<std::size_t> CudaModel::fuse() const {
  const auto& stages = bench_.network().stages();
  std::vector<std::size_t> takers(stages.size()), done_by;
  for (const Stage& stage : stages) {
    for (const std::size_t from : stage.inputs) {
      if (from != Stage::kImages) ++takers[from];
    }
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::size_t from = stages[i].inputs[0];
    const bool absorbed = stages[i].layer->kind() == Relu().kind() && from != Stage::kImages &&
                          takers[from] == 1 && done_by[from] == from &&
                          entry_of(stages[from]).absorbs_relu;
    done_by.push_back(absorbed ? from : i);
  }
  return done_by;
}

/// Throws: KeyError where a value's place in a batch is no kernels::Index.
void CudaModel::check_size() const {
  const auto check = [&](Shape shape) {
    const std::size_t count = bench_.options().batch * filled_up(shape, bench_.format()).size();
    if (count <= std::numeric_limits<kernels::Index>::max()) return;
    throw KeyError("workers.batch",
                   fmt::format("CUDA takes fewer than 2^32 values at a time; found {}", count));
  };
  check(bench_.network().input());
  for (const Stage& stage : bench_.network().stages()) check(stage.output);
}

void CudaModel::make_layers() {
  const Alone alone;  // plans may load kernels
  check_size();
  const auto& stages = bench_.network().stages();
  const bool training = bench_.options().training;
  const std::vector<std::size_t> done_by = fuse();
  std::vector<Wiring> wirings(stages.size());
  std::vector<bool> taken(stages.size());  // from the last stage: a gradient is there already
  for (std::size_t i = 0; i < stages.size(); ++i) {
    Wiring& wiring = wirings[i];
    if (const std::size_t doer = done_by[i]; doer != i) {
      wirings[doer].relu = true;
      wiring.output = wirings[doer].output;
      wiring.output_gradient = wirings[doer].output_gradient;
      continue;
    }
    const std::size_t size = bench_.options().batch * stages[i].output.size();
    const bool loss = i + 1 == stages.size();
    wiring.stage = &stages[i];
    if (!loss) wiring.output = bench_.make_values(size);
    if (!loss && training) wiring.output_gradient = bench_.make_values(size);
    for (const std::size_t from : stages[i].inputs) {
      wiring.inputs.push_back(from == Stage::kImages ? nullptr : wirings[from].output);
    }
  }
  for (std::size_t i = stages.size(); i-- > 0;) {
    if (done_by[i] != i) continue;
    for (const std::size_t from : stages[i].inputs) {
      if (from == Stage::kImages || !training) {
        wirings[i].gradients.emplace_back();
        continue;
      }
      wirings[i].gradients.push_back({wirings[from].output_gradient, taken[from]});
      taken[from] = true;
    }
  }
  const Wiring& loss = wirings.back();
  const Shape scores = loss.stage->input;
  if (bench_.format().channels_last && scores.channels > 1 && scores.height * scores.width > 1) {
    throw KeyError("workers.precision",
                   fmt::format("\"{}\" on CUDA wants scores of one pixel: put a linear layer last",
                               bench_.options().precision));
  }
  scores_gradient_ = training && loss.gradients[0].to
                         ? loss.gradients[0].to
                         : bench_.make_values(bench_.options().batch * loss.stage->input.size());
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    if (done_by[i] == i) layers_.push_back(entry_of(stages[i]).make(bench_, wirings[i]));
  }
  loss_input_ = loss.inputs[0];
  if (bench_.format().channels_last) {
    images_ = bench_.make_values(bench_.options().batch * bench_.network().input().size());
  }
}

/// The batch, and the pass that reads it on the device.
Pass CudaModel::load(const Batch& batch) {
  const Arrived there = input_.load(batch);
  return {.arrived = there.images,
          .images = images_ ? images_ : there.images,
          .labels = there.labels,
          .samples = int(batch.size()),
          .worker = batch.worker,
          .step = there.step};
}

void CudaModel::forward(const Pass& pass) {
  input_.crop();
  bench_.take_parameters(pass.x);
  if (images_) {
    const kernels::Layout layout = bench_.layout(bench_.network().input());
    bench_.with_type([&]<class T>(T) {
      bench_.run(
          kernels::ToChannelsLast<float, T>{values<T>(images_), pass.arrived, layout.channels,
                                            layout.pixels, layout.channels, false},
          bench_.options().batch * bench_.network().input().size());
    });
  }
  for (const auto& layer : layers_) layer->forward(bench_, pass);
}

/// Loss, hits and the gradient of the loss.
void CudaModel::tell_loss(const Pass& pass) {
  const auto classes = int(bench_.network().stages().back().input.size());
  bench_.with_type([&]<class T>(T) {
    bench_.run(
        kernels::SoftmaxCrossEntropyPass<T>{values<T>(loss_input_ ? loss_input_ : pass.images),
                                            pass.labels, values<T>(scores_gradient_),
                                            counts_.losses(), counts_.hits(), classes,
                                            1.0f / float(pass.samples)},
        std::size_t(pass.samples));
  });
}

namespace {

/// The first time, because kernels and libraries are loaded.
std::optional<Alone> alone_at_first(bool& loaded) {
  if (std::exchange(loaded, true)) return std::nullopt;
  return std::optional<Alone>(std::in_place);
}

}  // namespace

void CudaModel::gradient(ConstView x, const Batch& batch, View g, View statistics) {
  assert(bench_.options().training && batch.size() == bench_.options().batch);
  const auto alone = alone_at_first(loaded_.gradient);
  Pass pass = load(batch);
  pass.x = x.data();
  pass.g = g.data();
  pass.dropout = true;
  pass.moved = statistics.data();
  const auto work = [&] {
    forward(pass);
    tell_loss(pass);
    for (std::size_t i = layers_.size(); i-- > 0;) layers_[i]->backward(bench_, pass);
    bench_.give_gradients(pass.g);
  };
  if (bench_.options().graphs) {
    graphs_.run({pass.arrived, input_.crops_from(), pass.x, pass.g, pass.moved}, work);
  } else {
    work();
  }
  counts_.send(pass.samples);
  input_.unload();
}

void CudaModel::evaluate(ConstView state, const Batch& batch) {
  assert(batch.size() <= bench_.options().batch);
  const auto alone = alone_at_first(loaded_.evaluate);
  Pass pass = load(batch);
  pass.x = state.data();
  pass.fixed = state.data() + bench_.network().parameter_count();
  forward(pass);
  tell_loss(pass);
  counts_.send(pass.samples);
  input_.unload();
}

void CudaModel::observe(ConstView x, const Batch& batch, float weight, View statistics) {
  assert(batch.size() == bench_.options().batch);
  const auto alone = alone_at_first(loaded_.observe);
  Pass pass = load(batch);
  pass.x = x.data();
  pass.moved = statistics.data();
  pass.weight = weight;
  forward(pass);
  input_.unload();
}

Tally CudaModel::take_tally() {
  return counts_.take();
}

std::unique_ptr<Model> CudaBackend::compile(const Network& network, const ModelOptions& options) {
  return std::make_unique<CudaModel>(network, options, compute_);
}

}  // namespace easgd::cuda
