#include "backend/cuda/cuda_model.h"

#include <fmt/format.h>

#include <cassert>
#include <numeric>
#include <utility>

#include "backend/cuda/cuda_backend.h"
#include "base/error.h"
#include "base/registry.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kMostInFlight = 64;  // batches whose loss nobody has asked for

double* losses_of(float* counts) {
  return reinterpret_cast<double*>(counts);
}
std::int32_t* hits_of(float* counts, std::size_t batch) {
  return reinterpret_cast<std::int32_t*>(counts + 2 * batch);
}

const CudaLayerEntry& entry_of(const Stage& stage) {
  const CudaLayerEntry* entry = Registry<CudaLayerEntry>::find(stage.layer->kind());
  if (entry) return *entry;
  throw ConfigError(fmt::format("network: CUDA has no layer \"{}\"", stage.layer->kind()));
}

}  // namespace

CudaModel::CudaModel(const Network& network, const ModelOptions& options, cudaStream_t stream)
    : bench_(network, options, stream), input_stream_(make_stream("input")), loaded_(make_event()) {
  if (options.precision != "f32" && options.precision != "tf32") {
    throw KeyError(
        "workers.precision",
        fmt::format("CUDA has no \"{}\" yet: use \"f32\" or \"tf32\"", options.precision));
  }
  for (Input& input : inputs_) {
    input.images = bench_.make_floats(options.batch * network.input().size());
    input.labels = reinterpret_cast<std::int32_t*>(bench_.make_floats(options.batch));
    input.read = make_event();
  }
  counts_ = bench_.make_floats(3 * options.batch);
  make_layers();
  bench_.finish();
}

CudaModel::~CudaModel() {
  cudaStreamSynchronize(input_stream_);
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

/// The batch on its way to the device, and the pass that reads it there.
Pass CudaModel::load(const Batch& batch) {
  Input& input = inputs_[turn_];
  check(cudaStreamWaitEvent(input_stream_, input.read), "cudaStreamWaitEvent");
  copy(batch.images.data(), input.images, batch.images.size_bytes(), input_stream_);
  copy(batch.labels.data(), input.labels, batch.labels.size_bytes(), input_stream_);
  check(cudaEventRecord(loaded_, input_stream_), "cudaEventRecord");
  check(cudaStreamWaitEvent(bench_.stream(), loaded_), "cudaStreamWaitEvent");
  return {.images = input.images,
          .labels = input.labels,
          .samples = int(batch.size()),
          .worker = batch.worker,
          .step = batch.step};
}

/// After the pass that has read the batch: its device memory is free for the one after the next,
/// and the loader's as soon as the copy is done.
void CudaModel::unload() {
  check(cudaEventRecord(inputs_[turn_].read, bench_.stream()), "cudaEventRecord");
  turn_ = (turn_ + 1) % inputs_.size();
  check(cudaEventSynchronize(loaded_), "a batch on its way to the device");
}

void CudaModel::forward(const Pass& pass) {
  for (const auto& layer : layers_) layer->forward(bench_, pass);
}

/// Loss, hits and the gradient of the loss.
void CudaModel::count(const Pass& pass) {
  const auto classes = int(bench_.network().stages().back().input.size());
  const std::size_t batch = bench_.options().batch;
  bench_.run(kernels::SoftmaxCrossEntropyPass{loss_input_ ? loss_input_ : pass.images, pass.labels,
                                              scores_gradient_, losses_of(counts_),
                                              hits_of(counts_, batch), classes,
                                              1.0f / float(pass.samples)},
             std::size_t(pass.samples));
  harvest(in_flight_.size() >= kMostInFlight);
  if (idle_.empty()) idle_.push_back({pinned_buffer(3 * batch), make_event(), 0});
  Count& count = in_flight_.emplace_back(std::move(idle_.back()));
  idle_.pop_back();
  count.samples = pass.samples;
  copy(counts_, count.pinned.data(), 3 * batch * sizeof(float), bench_.stream());
  check(cudaEventRecord(count.arrived, bench_.stream()), "cudaEventRecord");
}

/// Adds up what has arrived; `wait`: the first at least.
void CudaModel::harvest(bool wait) {
  while (!in_flight_.empty()) {
    Count& count = in_flight_.front();
    if (std::exchange(wait, false)) {
      check(cudaEventSynchronize(count.arrived), "the loss of a batch");
    } else {
      const cudaError_t answer = cudaEventQuery(count.arrived);
      if (answer == cudaErrorNotReady) return;
      check(answer, "the loss of a batch");
    }
    const double* losses = losses_of(count.pinned.data());
    const std::int32_t* hits = hits_of(count.pinned.data(), bench_.options().batch);
    tally_ += {std::accumulate(losses, losses + count.samples, 0.0),
               std::accumulate(hits, hits + count.samples, std::int64_t{0}), count.samples};
    idle_.push_back(std::move(count));
    in_flight_.pop_front();
  }
}

void CudaModel::gradient(ConstView x, const Batch& batch, View g, View statistics) {
  assert(bench_.options().training && batch.size() == bench_.options().batch);
  Pass pass = load(batch);
  pass.x = x.data();
  pass.g = g.data();
  pass.dropout = true;
  pass.moved = statistics.data();
  forward(pass);
  count(pass);
  for (std::size_t i = layers_.size(); i-- > 0;) layers_[i]->backward(bench_, pass);
  unload();
}

void CudaModel::evaluate(ConstView state, const Batch& batch) {
  assert(batch.size() <= bench_.options().batch);
  Pass pass = load(batch);
  pass.x = state.data();
  pass.fixed = state.data() + bench_.network().parameter_count();
  forward(pass);
  count(pass);
  unload();
}

void CudaModel::observe(ConstView x, const Batch& batch, float weight, View statistics) {
  assert(batch.size() == bench_.options().batch);
  Pass pass = load(batch);
  pass.x = x.data();
  pass.moved = statistics.data();
  pass.weight = weight;
  forward(pass);
  unload();
}

Tally CudaModel::take_tally() {
  harvest(false);
  return std::exchange(tally_, {});
}

std::unique_ptr<Model> CudaBackend::compile(const Network& network, const ModelOptions& options) {
  return std::make_unique<CudaModel>(network, options, compute_);
}

}  // namespace easgd::cuda
