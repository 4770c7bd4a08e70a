#include "backend/cuda/cuda_model.h"

#include <fmt/format.h>

#include <cassert>

#include "backend/cuda/cuda_backend.h"
#include "base/error.h"
#include "base/registry.h"

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
  if (options.precision != "f32" && options.precision != "tf32") {
    throw KeyError(
        "workers.precision",
        fmt::format("CUDA has no \"{}\" yet: use \"f32\" or \"tf32\"", options.precision));
  }
  make_layers();
  bench_.finish();
}

CudaModel::~CudaModel() {
  cudaStreamSynchronize(bench_.stream());
}

void CudaModel::make_layers() {
  const auto& stages = bench_.network().stages();
  const bool training = bench_.options().training;
  std::vector<Wiring> wirings(stages.size());
  std::vector<bool> taken(stages.size());  // from the last stage: a gradient is there already
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::size_t size = bench_.options().batch * stages[i].output.size();
    const bool loss = i + 1 == stages.size();
    Wiring& wiring = wirings[i];
    wiring.stage = &stages[i];
    if (!loss) wiring.output = bench_.make_floats(size);
    if (!loss && training) wiring.output_gradient = bench_.make_floats(size);
    for (const std::size_t from : stages[i].inputs) {
      wiring.inputs.push_back(from == Stage::kImages ? nullptr : wirings[from].output);
    }
  }
  for (std::size_t i = stages.size(); i-- > 0;) {
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
  scores_gradient_ = training && loss.gradients[0].to
                         ? loss.gradients[0].to
                         : bench_.make_floats(bench_.options().batch * loss.stage->input.size());
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    layers_.push_back(entry_of(stages[i]).make(bench_, wirings[i]));
  }
  loss_input_ = loss.inputs[0];
}

/// The batch, and the pass that reads it on the device.
Pass CudaModel::load(const Batch& batch) {
  const Arrived there = input_.load(batch);
  return {.images = there.images,
          .labels = there.labels,
          .samples = int(batch.size()),
          .worker = batch.worker,
          .step = there.step};
}

void CudaModel::forward(const Pass& pass) {
  for (const auto& layer : layers_) layer->forward(bench_, pass);
}

/// Loss, hits and the gradient of the loss.
void CudaModel::tell_loss(const Pass& pass) {
  const auto classes = int(bench_.network().stages().back().input.size());
  bench_.run(kernels::SoftmaxCrossEntropyPass{loss_input_ ? loss_input_ : pass.images, pass.labels,
                                              scores_gradient_, counts_.losses(), counts_.hits(),
                                              classes, 1.0f / float(pass.samples)},
             std::size_t(pass.samples));
}

void CudaModel::gradient(ConstView x, const Batch& batch, View g, View statistics) {
  assert(bench_.options().training && batch.size() == bench_.options().batch);
  Pass pass = load(batch);
  pass.x = x.data();
  pass.g = g.data();
  pass.dropout = true;
  pass.moved = statistics.data();
  const auto work = [&] {
    forward(pass);
    tell_loss(pass);
    for (std::size_t i = layers_.size(); i-- > 0;) layers_[i]->backward(bench_, pass);
  };
  if (bench_.options().graphs) {
    graphs_.run({pass.images, pass.x, pass.g, pass.moved}, work);
  } else {
    work();
  }
  counts_.send(pass.samples);
  input_.unload();
}

void CudaModel::evaluate(ConstView state, const Batch& batch) {
  assert(batch.size() <= bench_.options().batch);
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
