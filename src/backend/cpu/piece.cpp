#include "backend/cpu/piece.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/cpu/elementwise_loops.h"
#include "backend/cpu/fusion.h"
#include "base/trace.h"

namespace easgd::cpu {

Piece::Piece(const Network& network, const ModelOptions& options, const Cut& cut)
    : bench_(network, options, cut) {
  const std::vector<Link> links = fuse(bench_);
  compile_forward(links);
  if (options.training) compile_backward(links);
  bench_.finish();
}

void Piece::compile_forward(const std::vector<Link>& links) {
  const dnnl::memory::desc desc(bench_.dims(bench_.network().input()), dnnl::memory::data_type::f32,
                                dnnl::memory::format_tag::nchw);
  images_ = bench_.unbound(desc);
  short_batch_ = bench_.make_floats(desc.get_size() / sizeof(float));
  Activations outputs = {{Stage::kImages, {images_, false}}};
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& link = links[i];
    std::vector<Activation> inputs;
    for (const std::size_t number : link.inputs) inputs.push_back(outputs.at(number));
    layers_.push_back(entry_of(link).make(bench_, link));
    names_.emplace_back(link.stage->layer->name);
    Activation output = layers_.back()->compile_forward(bench_, inputs);
    const bool has_one_taker = takers(links, link.output) == 1;
    output.disposable &= has_one_taker;
    output.forgotten &= has_one_taker;
    outputs[link.output] = output;
    if (bench_.options().training) continue;  // a backward pass reads them again
    std::vector<Activation> read;
    for (const std::size_t number : link.inputs) {
      const auto takes = [number](const Link& later) {
        return std::ranges::find(later.inputs, number) != later.inputs.end();
      };
      const auto behind = std::next(links.begin(), std::ptrdiff_t(i) + 1);
      if (number == Stage::kImages || std::any_of(behind, links.end(), takes)) continue;
      if (const auto found = outputs.extract(number)) read.push_back(found.mapped());
    }
    give_back_unused(read, outputs);
  }
}

void Piece::compile_backward(const std::vector<Link>& links) {
  Activations gradients;
  for (std::size_t i = links.size(); i-- > 0;) {
    const bool wanted = std::ranges::any_of(
        links[i].inputs, [](std::size_t number) { return number != Stage::kImages; });
    const Activation output_gradient = std::exchange(gradients[links[i].output], {});
    const bool adds = offer_sum(links[i], gradients, output_gradient, *layers_[i]);
    if (i > 0 && in_line(links, links[i - 1], links[i]) && layers_[i - 1]->unnormalises()) {
      layers_[i]->leave_unnormalised();
    }
    const Activation gradient = layers_[i]->compile_backward(bench_, output_gradient, wanted);
    std::vector<Activation> used = {output_gradient};
    for (const std::size_t number : links[i].inputs) {
      if (number == Stage::kImages) continue;
      used.push_back(gradients[number]);
      used.push_back(gradient);
      adds ? void(gradients[number] = gradient) : collect(gradients[number], gradient, i);
    }
    give_back_unused(used, gradients);
  }
}

/// Whoever comes later has looked at it by then; this layer must not while it adds.
bool Piece::offer_sum(const Link& link, const Activations& gradients,
                      const Activation& output_gradient, CpuLayer& layer) {
  if (link.inputs.size() != 1 || link.inputs[0] == Stage::kImages) return false;
  const auto sum = gradients.find(link.inputs[0]);
  if (sum == gradients.end() || !sum->second.values) return false;
  const memory& values = sum->second.values;
  const auto is_same = [&values](const memory& other) {
    return other && other.get_data_handle() == values.get_data_handle();
  };
  const auto holders = std::ranges::count_if(
      gradients, [&](const auto& entry) { return is_same(entry.second.values); });
  return holders == 1 && !is_same(output_gradient.values) && layer.add_to(values);
}

/// Those whose memory none of those that are left has.
void Piece::give_back_unused(const std::vector<Activation>& used, const Activations& left) {
  std::set<void*> kept;
  for (const auto& [number, activation] : left) {
    if (activation.values) kept.insert(activation.values.get_data_handle());
  }
  for (const Activation& activation : used) {
    if (activation.values && kept.insert(activation.values.get_data_handle()).second) {
      bench_.give_back(activation.values);
    }
  }
}

/// The gradient of a value that several layers take is the sum of what each of them returns.
void Piece::collect(Activation& sum, const Activation& gradient, std::size_t layer) {
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

void Piece::bind(const CpuPass& pass) {
  const Batch& batch = pass.batch;
  if (batch.size() == samples()) return point_at(images_, batch.images);
  const auto end = std::copy(batch.images.begin(), batch.images.end(), short_batch_.begin());
  std::fill(end, short_batch_.end(), 0.0f);
  point_at(images_, short_batch_);
}

void Piece::forward(CpuPass& pass, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    const TraceScope scope(names_[i].forward.c_str());
    layers_[i]->forward(pass);
  }
}

void Piece::backward(CpuPass& pass, std::size_t begin, std::size_t end) {
  const auto later = [end](const Sum& sum) { return sum.layer >= end; };
  auto sum = std::ranges::find_if_not(sums_, later);
  for (std::size_t i = end; i-- > begin;) {
    const TraceScope scope(names_[i].backward.c_str());
    layers_[i]->backward(pass);
    for (; sum != sums_.end() && sum->layer == i; ++sum) {
      sum->target.refresh(bench_.stream());
      sum->addend.refresh(bench_.stream());
      add_to(sum->target.get(), sum->addend.get());
    }
  }
}

}  // namespace easgd::cpu
