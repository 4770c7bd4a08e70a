#include "backend/cpu/cpu_model.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "backend/cpu/fusion.h"
#include "backend/cpu/precision.h"

namespace easgd::cpu {

CpuModel::CpuModel(const Network& network, const ModelOptions& options) : bench_(network, options) {
  check_precision(options.precision);
  translate_errors([this] { compile(fuse(bench_)); });
}

void CpuModel::compile(const std::vector<Link>& links) {
  const dnnl::memory::desc desc(bench_.dims(bench_.network().input()), dnnl::memory::data_type::f32,
                                dnnl::memory::format_tag::nchw);
  images_ = bench_.unbound(desc);
  short_batch_ = bench_.make_floats(desc.get_size() / sizeof(float));
  Activation activation{images_, false};
  for (const Link& link : links) {
    layers_.push_back(entry_of(link).make(bench_, link));
    activation = layers_.back()->compile_forward(bench_, activation);
  }
  if (bench_.options().training) {
    dnnl::memory gradient;
    for (std::size_t i = layers_.size(); i-- > 0;) {
      gradient = layers_[i]->compile_backward(bench_, gradient, i > 0);
    }
  }
  bench_.finish();
}

void CpuModel::gradient(ConstView x, const Batch& batch, View g) {
  assert(bench_.options().training && batch.size() == bench_.options().batch);
  translate_errors([&] {
    const Pass pass{x, g, batch, true, tally_};
    bind_images(batch);
    for (const auto& layer : layers_) layer->forward(pass);
    for (std::size_t i = layers_.size(); i-- > 0;) layers_[i]->backward(pass);
  });
}

void CpuModel::evaluate(ConstView x, const Batch& batch) {
  assert(batch.size() <= bench_.options().batch);
  translate_errors([&] {
    const Pass pass{x, {}, batch, false, tally_};
    bind_images(batch);
    for (const auto& layer : layers_) layer->forward(pass);
  });
}

Tally CpuModel::take_tally() {
  return std::exchange(tally_, {});
}

void CpuModel::bind_images(const Batch& batch) {
  if (batch.size() == bench_.options().batch) return point_at(images_, batch.images);
  const auto end = std::copy(batch.images.begin(), batch.images.end(), short_batch_.begin());
  std::fill(end, short_batch_.end(), 0.0f);
  point_at(images_, short_batch_);
}

}  // namespace easgd::cpu
