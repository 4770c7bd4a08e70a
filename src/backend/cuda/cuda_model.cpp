#include "backend/cuda/cuda_model.h"

#include <fmt/format.h>

#include <cassert>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "backend/cuda/check.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/current_device.h"
#include "backend/cuda/device_locks.h"
#include "base/error.h"
#include "base/registry.h"
#include "nn/softmax_cross_entropy.h"

namespace easgd::cuda {
namespace {

const CudaLayerEntry& entry_of(const Link& link) {
  const std::string kind = link.stage->layer->kind();
  if (const CudaLayerEntry* entry = Registry<CudaLayerEntry>::find(kind)) return *entry;
  throw ConfigError(fmt::format("network: CUDA has no layer \"{}\"", kind));
}

}  // namespace

CudaModel::CudaModel(const Network& network, const ModelOptions& options, cudaStream_t stream)
    : bench_(network, options, stream),
      input_(network.input(), options.batch, stream),
      readback_(options.batch, stream),
      graphs_(stream) {
  make_layers();
  bench_.finish();
}

CudaModel::~CudaModel() {
  cudaStreamSynchronize(bench_.stream());
}

/// Throws: KeyError if the index of a value in a batch is no kernels::Index.
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
  const DeviceSyncLock lock;  // plans may load kernels
  check_size();
  const std::vector<Link> links =
      absorb_relus(links_of(bench_.network().stages()),
                   [](const Link& link) { return entry_of(link).absorbs_relu; });
  const std::vector<Wiring> wirings = wire(links);
  const Wiring& loss = wirings.back();
  const Shape scores = loss.stage->input;
  if (bench_.format().channels_last && scores.channels > 1 && scores.height * scores.width > 1) {
    throw KeyError("workers.precision",
                   fmt::format("\"{}\" on CUDA wants scores of one pixel: put a linear layer last",
                               bench_.options().precision));
  }
  scores_gradient_ = loss.gradients[0].to
                         ? loss.gradients[0].to
                         : bench_.make_values(bench_.options().batch * loss.stage->input.size());
  for (std::size_t i = 0; i + 1 < links.size(); ++i) {
    layers_.push_back(entry_of(links[i]).make(bench_, wirings[i]));
  }
  loss_input_ = loss.inputs[0];
  smoothing_ = float(dynamic_cast<const SoftmaxCrossEntropy&>(*loss.stage->layer).label_smoothing);
  if (bench_.format().channels_last) {
    images_ = bench_.make_values(bench_.options().batch * bench_.network().input().size());
  }
}

/// Gives each value, and in training its gradient, memory; the loss makes neither.
std::vector<Wiring> CudaModel::wire(const std::vector<Link>& links) {
  struct Memory {
    void *value = nullptr, *gradient = nullptr;
  };
  std::map<std::size_t, Memory> memory;
  const bool training = bench_.options().training;
  const auto plans = plan_gradients(links);
  std::vector<Wiring> wirings;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& link = links[i];
    Memory& made = memory[link.output];
    if (i + 1 < links.size()) {
      const std::size_t size = bench_.options().batch * link.stage->output.size();
      made.value = bench_.make_values(size);
      if (training) made.gradient = bench_.make_values(size);
    }
    Wiring& wiring = wirings.emplace_back(Wiring{.stage = link.stage,
                                                 .relu = link.relu,
                                                 .inputs = {},
                                                 .output = made.value,
                                                 .output_gradient = made.gradient});
    for (std::size_t k = 0; k < link.inputs.size(); ++k) {
      const Memory& taken = memory[link.inputs[k]];  // of the images: none
      wiring.inputs.push_back(taken.value);
      wiring.gradients.push_back({taken.gradient, training && plans[i][k].add});
    }
  }
  return wirings;
}

/// Brings the batch to the device, for a pass over it.
CudaPass CudaModel::load(const Batch& batch, const PassArguments& arguments) {
  const Arrived there = input_.load(batch);
  return {arguments,    there.images,      images_ ? images_ : there.images,
          there.labels, int(batch.size()), batch.worker,
          there.step};
}

void CudaModel::forward(const CudaPass& pass) {
  input_.crop();
  bench_.pack_parameters(pass.x.data());
  if (images_) {
    const kernels::Layout layout = bench_.layout(bench_.network().input());
    bench_.with_type([&]<class T>(T) {
      bench_.run(kernels::ToChannelsLast<float, T>{.to = values<T>(images_),
                                                   .from = pass.arrived,
                                                   .channels = layout.channels,
                                                   .pixels = layout.pixels,
                                                   .padded = layout.channels,
                                                   .add = false},
                 bench_.options().batch * bench_.network().input().size());
    });
  }
  for (const auto& layer : layers_) layer->forward(bench_, pass);
}

/// Of a batch that need not be whole, with running statistics.
CudaPass CudaModel::forward(ConstView state, const Batch& batch) {
  assert(batch.size() <= bench_.options().batch);
  const std::size_t parameters = bench_.network().parameter_count();
  const CudaPass pass =
      load(batch, {.x = state.first(parameters), .fixed = state.subspan(parameters)});
  forward(pass);
  return pass;
}

/// Those that the loss takes; of a network that is nothing else, the images.
const void* CudaModel::scores_of(const CudaPass& pass) const {
  return loss_input_ ? loss_input_ : pass.images;
}

/// Losses, ranks and the gradient of the loss.
void CudaModel::compute_loss(const CudaPass& pass) {
  const auto classes = int(bench_.network().stages().back().input.size());
  bench_.with_type([&]<class T>(T) {
    bench_.run(kernels::SoftmaxCrossEntropyPass<T>{.scores = values<T>(scores_of(pass)),
                                                   .labels = pass.labels,
                                                   .gradient = values<T>(scores_gradient_),
                                                   .loss = readback_.losses(),
                                                   .rank = readback_.ranks(),
                                                   .classes = classes,
                                                   .share = 1.0f / float(pass.samples),
                                                   .smoothing = pass.training ? smoothing_ : 0.0f},
               std::size_t(pass.samples));
  });
}

namespace {

/// The first time, because kernels and libraries are loaded.
std::optional<DeviceSyncLock> lock_at_first(bool& loaded) {
  if (std::exchange(loaded, true)) return std::nullopt;
  return std::optional<DeviceSyncLock>(std::in_place);
}

}  // namespace

void CudaModel::gradient(ConstView x, const Batch& batch, View g, View statistics) {
  assert(bench_.options().training && batch.size() == bench_.options().batch);
  const DeviceGuard guard(bench_.device());
  const auto lock = lock_at_first(loaded_.gradient);
  const CudaPass pass = load(batch, {.x = x, .g = g, .training = true, .moved = statistics});
  const auto work = [&] {
    forward(pass);
    compute_loss(pass);
    for (std::size_t i = layers_.size(); i-- > 0;) layers_[i]->backward(bench_, pass);
    bench_.unpack_gradients(pass.g.data());
  };
  if (bench_.options().graphs) {
    graphs_.run({pass.arrived, input_.crops_from(), x.data(), g.data(), statistics.data()}, work);
  } else {
    work();
  }
  readback_.send(pass.samples);
  input_.unload();
}

void CudaModel::score(ConstView state, const Batch& batch, View scores) {
  const DeviceGuard guard(bench_.device());
  const auto lock = lock_at_first(loaded_.evaluate);
  const CudaPass pass = forward(state, batch);
  bench_.with_type([&]<class T>(T) {
    std::vector<T> found(scores.size());
    check(cudaMemcpyAsync(found.data(), scores_of(pass), found.size() * sizeof(T),
                          cudaMemcpyDeviceToHost, bench_.stream()),
          "scores");
    check(cudaStreamSynchronize(bench_.stream()), "scores");
    for (std::size_t i = 0; i < found.size(); ++i) scores[i] = float(found[i]);
  });
  input_.unload();
}

void CudaModel::evaluate(ConstView state, const Batch& batch) {
  const DeviceGuard guard(bench_.device());
  const auto lock = lock_at_first(loaded_.evaluate);
  const CudaPass pass = forward(state, batch);
  compute_loss(pass);
  readback_.send(pass.samples);
  input_.unload();
}

void CudaModel::observe(ConstView x, const Batch& batch, float weight, View statistics) {
  assert(batch.size() == bench_.options().batch);
  const DeviceGuard guard(bench_.device());
  const auto lock = lock_at_first(loaded_.observe);
  forward(load(batch, {.x = x, .moved = statistics, .weight = weight}));
  input_.unload();
}

Tally CudaModel::take_tally() {
  const DeviceGuard guard(bench_.device());
  return readback_.take();
}

std::unique_ptr<Model> CudaBackend::compile(const Network& network, const ModelOptions& options) {
  const DeviceGuard guard(index_);
  return std::make_unique<CudaModel>(network, options, compute_);
}

}  // namespace easgd::cuda
