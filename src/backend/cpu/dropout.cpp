// Dropout whose mask is a function of counters alone, whatever the layout and the device:
//
//   keep element i (counted [C][H][W]) of sample n in dropout layer l of the network if
//     Random{seed, Stream::dropout, worker}.at(step, n D + d_l + i / 4).uniform(i % 4) >= rate
//
//   S_l = elements of a sample in layer l       ceil(S_l / 4) = draws of four numbers it takes
//   d_l = draws of the dropout layers before l   D = draws of all dropout layers together
//
// so that one sample's layers lie end to end and no number is used twice. Kept elements are scaled
// by 1 / (1 - rate). A device that computes the same formula drops the same activations.
#include "nn/dropout.h"

#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/elementwise_loops.h"
#include "backend/cpu/layout.h"
#include "kernels/philox.h"
#include "nn/dropout_draws.h"

namespace easgd::cpu {
namespace {

/// Where an element lies: sample n's element i at n * sample_step + element[i].
struct Offsets {
  std::size_t sample_step = 0;
  std::vector<std::size_t> element;
};

Offsets find_offsets(const Planes& p, Shape shape) {
  using Tag = memory::format_tag;
  const auto pixels = std::size_t(p.height) * std::size_t(p.width), lanes = p.lanes;
  const bool samples_in_lanes = p.layout == Tag::chwn;
  Offsets offsets;
  offsets.sample_step =
      samples_in_lanes ? 1 : pixels * ((std::size_t(shape.channels) + lanes - 1) / lanes) * lanes;
  for (std::size_t c = 0; c < std::size_t(shape.channels); ++c) {
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
      offsets.element.push_back(samples_in_lanes
                                    ? (c * pixels + pixel) * lanes
                                    : ((c / lanes) * pixels + pixel) * lanes + c % lanes);
    }
  }
  return offsets;
}

class DropoutLayer final : public CpuLayer {
 public:
  explicit DropoutLayer(const Link& link)
      : stage_(*link.stage), rate_(float(dynamic_cast<const Dropout&>(*stage_.layer).rate)) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    const Activation& input = inputs[0];
    stream_ = bench.stream();
    seed_ = bench.options().seed;
    draws_ = count_draws(bench.network(), stage_.layer.get());
    const auto given = planes_of(input.values.get_desc());
    const auto layout = given ? given->layout : memory::format_tag::nchw;
    input_ = Converted(bench, input.values, {bench.dims(stage_.input), bench.type(), layout});
    const memory::desc desc = input_.get().get_desc();
    output_ = input.disposable || input_.copies() ? input_.get() : bench.make(desc);
    offsets_ = find_offsets(*planes_of(desc), stage_.input);
    if (bench.options().training) mask_ = bench.make_floats(stored_elements(desc));
    return {output_, input.disposable};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool) override {
    gradient_ = Converted(bench, dy.values, output_.get_desc(), !dy.disposable);
    return {gradient_.get(), true};
  }

  void forward(CpuPass& pass) override {
    input_.refresh(stream_);
    if (pass.training) {
      draw_mask(pass);
      apply_mask(input_.get(), output_);
    } else if (output_ != input_.get()) {
      copy(input_.get(), output_);
    }
  }

  void backward(CpuPass&) override {
    gradient_.refresh(stream_);
    apply_mask(gradient_.get(), gradient_.get());
  }

 private:
  void draw_mask(CpuPass& pass);
  void apply_mask(const memory& from, const memory& to) const;
  static void copy(const memory& from, const memory& to);

  const Stage& stage_;
  const float rate_;
  dnnl::stream stream_;
  std::uint64_t seed_ = 0;
  DropoutDraws draws_;
  Offsets offsets_;
  Converted input_, gradient_;
  memory output_;
  View mask_;  ///< 0 or 1 / (1 - rate), in the layout of output_
};

void DropoutLayer::draw_mask(CpuPass& pass) {
  const kernels::Random random{seed_, kernels::Stream::dropout, pass.batch.worker};
  const float scale = 1 / (1 - rate_);
  const std::size_t size = offsets_.element.size();
  for (std::size_t n = 0; n < pass.batch.size(); ++n) {
    float* mask = mask_.data() + n * offsets_.sample_step;
    const auto first = std::uint32_t(pass.first + n) * draws_.per_sample + draws_.before;
    for (std::size_t i = 0; i < size; i += 4) {
      const kernels::Random4 four = random.at(pass.batch.step, first + std::uint32_t(i / 4));
      for (std::size_t k = 0; k < 4 && i + k < size; ++k) {
        mask[offsets_.element[i + k]] = four.uniform(int(k)) >= rate_ ? scale : 0.0f;
      }
    }
  }
}

void DropoutLayer::apply_mask(const memory& from, const memory& to) const {
  with_elements(to, [&](auto* y) {
    using Value = std::remove_pointer_t<decltype(y)>;
    const auto* x = static_cast<const Value*>(from.get_data_handle());
    const float* mask = mask_.data();
    for_each_element(mask_.size(), [=](std::size_t i) { y[i] = Value(float(x[i]) * mask[i]); });
  });
}

void DropoutLayer::copy(const memory& from, const memory& to) {
  with_elements(to, [&](auto* y) {
    const auto* x = static_cast<decltype(y)>(from.get_data_handle());
    for_each_element(stored_elements(to.get_desc()), [=](std::size_t i) { y[i] = x[i]; });
  });
}

const Registered<CpuLayerEntry> kRegistered(Dropout().kind(),
                                            {[](const Workbench&, const Link& link) {
                                              return std::make_unique<DropoutLayer>(link);
                                            }});

}  // namespace
}  // namespace easgd::cpu
