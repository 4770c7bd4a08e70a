#include "backend/cpu/cpu_model.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "backend/cpu/elementwise_loops.h"
#include "backend/cpu/fusion.h"
#include "backend/cpu/precision.h"

namespace easgd::cpu {

CpuModel::CpuModel(const Network& network, const ModelOptions& options) : bench_(network, options) {
  check_precision(options.precision);
  translate_errors([this] {
    const std::vector<Link> links = fuse(bench_);
    compile_forward(links);
    if (bench_.options().training) compile_backward(links);
    bench_.finish();
  });
}

void CpuModel::compile_forward(const std::vector<Link>& links) {
  const dnnl::memory::desc desc(bench_.dims(bench_.network().input()), dnnl::memory::data_type::f32,
                                dnnl::memory::format_tag::nchw);
  images_ = bench_.unbound(desc);
  short_batch_ = bench_.make_floats(desc.get_size() / sizeof(float));
  Activations outputs = {{Stage::kImages, {images_, false}}};
  for (const Link& link : links) {
    std::vector<Activation> inputs;
    for (const std::size_t number : link.inputs) inputs.push_back(outputs.at(number));
    layers_.push_back(entry_of(link).make(bench_, link));
    Activation output = layers_.back()->compile_forward(bench_, inputs);
    output.disposable &= takers(links, link.output) == 1;
    outputs[link.output] = output;
  }
}

void CpuModel::compile_backward(const std::vector<Link>& links) {
  Activations gradients;
  for (std::size_t i = links.size(); i-- > 0;) {
    const bool wanted = std::ranges::any_of(
        links[i].inputs, [](std::size_t number) { return number != Stage::kImages; });
    const Activation gradient =
        layers_[i]->compile_backward(bench_, gradients[links[i].output], wanted);
    for (const std::size_t number : links[i].inputs) {
      if (number != Stage::kImages) collect(gradients[number], gradient, i);
    }
  }
}

/// The gradient of a value that several layers take is the sum of what each of them returns.
void CpuModel::collect(Activation& sum, const Activation& gradient, std::size_t layer) {
  if (!sum.values) {
    sum = gradient;
    return;
  }
  Activation target = sum, addend = gradient;
  if (!target.disposable) std::swap(target, addend);
  const dnnl::memory::desc desc = target.values.get_desc();
  sums_.push_back({layer, Converted(bench_, target.values, desc, !target.disposable),
                   Converted(bench_, addend.values, desc)});
  sum = {sums_.back().target.get(), true};
}

void CpuModel::forward(const CpuPass& pass) {
  bind_images(pass.batch);
  for (const auto& layer : layers_) layer->forward(pass);
}

void CpuModel::gradient(ConstView x, const Batch& batch, View g, View statistics) {
  assert(bench_.options().training && batch.size() == bench_.options().batch);
  translate_errors([&] {
    const CpuPass pass{{.x = x, .g = g, .dropout = true, .moved = statistics}, batch, tally_};
    forward(pass);
    auto sum = sums_.begin();
    for (std::size_t i = layers_.size(); i-- > 0;) {
      layers_[i]->backward(pass);
      for (; sum != sums_.end() && sum->layer == i; ++sum) {
        sum->target.refresh(bench_.stream());
        sum->addend.refresh(bench_.stream());
        add_to(sum->target.get(), sum->addend.get());
      }
    }
  });
}

void CpuModel::evaluate(ConstView state, const Batch& batch) {
  assert(batch.size() <= bench_.options().batch);
  const std::size_t parameters = bench_.network().parameter_count();
  translate_errors([&] {
    forward({{.x = state.first(parameters), .fixed = state.subspan(parameters)}, batch, tally_});
  });
}

void CpuModel::observe(ConstView x, const Batch& batch, float weight, View statistics) {
  assert(batch.size() == bench_.options().batch);
  Tally unused;
  translate_errors([&] {
    forward({{.x = x, .moved = statistics, .weight = weight}, batch, unused});
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
