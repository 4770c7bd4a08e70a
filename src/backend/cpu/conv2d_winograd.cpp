// Convolution of 3x3 by minimal filtering: kernels/winograd_conv2d.h. Its activations have the
// channels innermost, all of them or in blocks, and its parameters stay as they lie in the flat
// vector.
#include <optional>

#include "backend/cpu/conv2d.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/storage.h"
#include "kernels/winograd_conv2d.h"
#include "nn/conv2d.h"

namespace easgd::cpu {
namespace {

using Tag = memory::format_tag;

const kernels::WinogradKernels& fastest() {
  return kernels::winograd_kernels()[0];
}

/// Of values in blocks of the kernel's lanes, or in one of all channels; nothing of others.
std::optional<kernels::ChannelBlocks> blocks_of(const memory::desc& desc) {
  const std::optional<Planes> planes = planes_of(desc);
  if (!planes || desc.data_type() != memory::data_type::f32) return std::nullopt;
  const std::ptrdiff_t lanes = fastest().lanes, channels = desc.dims()[1];
  const std::ptrdiff_t pixels = std::ptrdiff_t{1} * planes->height * planes->width;
  if (planes->layout == Tag::nhwc) return {{pixels * channels, lanes, channels}};
  if (planes->layout == Tag::chwn || std::ptrdiff_t(planes->lanes) != lanes) return std::nullopt;
  return {{pixels * channels, pixels * lanes, lanes}};
}

/// As near to the given one as may be.
memory::desc channels_innermost(const memory::dims& dims, const memory::desc& given) {
  const bool is_nhwc = planes_of(given) && planes_of(given)->layout == Tag::nhwc;
  const Tag blocks = fastest().lanes == 16 ? Tag::nChw16c : Tag::nChw8c;
  return memory::desc(dims, memory::data_type::f32, is_nhwc ? Tag::nhwc : blocks);
}

/// The transformed weights of a layer.
class SharedWeights final : public SharedWork {
 public:
  SharedWeights(const kernels::Conv2dShape& shape, bool training, const Slice& slice)
      : weights_(fastest().make_weights(shape, training)), slice_(slice) {}

  const kernels::WinogradWeights& get() const { return *weights_; }

  std::size_t preparations() const override { return weights_->tasks(); }
  void prepare(ConstView x, std::size_t task) override {
    weights_->transform(slice_.of(x).data(), task);
  }
  std::size_t bytes() const override { return weights_->bytes(); }

 private:
  const std::unique_ptr<kernels::WinogradWeights> weights_;
  const Slice slice_;
};

/// Null if the layer has no bias.
template <class Vector>
auto bias_of(const Stage& stage, Vector of) {
  return stage.slices.size() > 1 ? stage.slices[1].of(of).data() : nullptr;
}

class WinogradConv2dLayer final : public CpuLayer {
 public:
  explicit WinogradConv2dLayer(const Link& link)
      : stage_(*link.stage), number_(link.output), relu_(link.relu) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    stream_ = bench.stream();
    const kernels::Conv2dShape shape = kernel_shape(bench, stage_);
    auto& weights = bench.shared<SharedWeights>(number_, [&] {
      return std::make_unique<SharedWeights>(shape, bench.options().training, stage_.slices[0]);
    });
    const memory::desc given = inputs[0].values.get_desc();
    input_ =
        Converted(bench, inputs[0].values, channels_innermost(bench.dims(stage_.input), given));
    output_ = bench.make(channels_innermost(bench.dims(stage_.output), given));
    convolution_ = fastest().make(shape, *blocks_of(input_.get().get_desc()),
                                  *blocks_of(output_.get_desc()), weights.get());
    if (!bench.options().training && input_.copies()) bench.give_back(input_.get());
    return {output_, true};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override {
    output_gradient_ = Converted(bench, dy.values, output_.get_desc());
    behind_ = dy.behind;
    if (wanted && !input_gradient_) input_gradient_ = bench.make(input_.get().get_desc());
    return {input_gradient_, true};
  }

  bool add_to(const memory& others) override {
    adds_ = !input_.copies() && others.get_desc() == input_.get().get_desc();
    if (adds_) input_gradient_ = others;
    return adds_;
  }

  bool unnormalises() const override { return !relu_; }

  void forward(CpuPass& pass) override {
    input_.refresh(stream_);
    convolution_->forward(floats(input_.get()), bias_of(stage_, pass.x), relu_, floats(output_));
  }

  void backward(CpuPass& pass) override {
    output_gradient_.refresh(stream_);
    convolution_->backward(floats(input_.get()), relu_ ? floats(output_) : nullptr,
                           floats(output_gradient_.get()),
                           {.dx = input_gradient_ ? floats(input_gradient_) : nullptr,
                            .adds_dx = adds_,
                            .dweight = stage_.slices[0].of(pass.g).data(),
                            .dbias = bias_of(stage_, pass.g)},
                           behind_);
  }

 private:
  const Stage& stage_;
  const std::size_t number_;
  const bool relu_;
  bool adds_ = false;
  dnnl::stream stream_;
  std::unique_ptr<kernels::WinogradConv2d> convolution_;
  Converted input_, output_gradient_;
  memory output_, input_gradient_;
  const kernels::NormalisationBehind* behind_ = nullptr;
};

}  // namespace

std::unique_ptr<CpuLayer> make_winograd_conv2d(const Link& link) {
  return std::make_unique<WinogradConv2dLayer>(link);
}

/// Tiles that overhang the image compute what nobody asks for. With a stride of 2 whole tiles take
/// 1.78 times fewer products, which paid with AVX-512 from 64 channels of 32x32 to 256 of 8x8; what
/// overhangs was not measured.
bool winograd_conv2d_pays(const Workbench& bench, const Stage& stage) {
  const auto& options = dynamic_cast<const Conv2d&>(*stage.layer);
  const kernels::Conv2dShape shape = kernel_shape(bench, stage);
  if (!options.is_plain()) return false;
  if (bench.type() != memory::data_type::f32) return false;
  if (!kernels::WinogradConv2d::fits(shape)) return false;
  const double direct =
      9.0 * shape.out_height() * shape.out_width() * shape.in_channels * shape.out_channels;
  const double worth_it = shape.stride == 1 ? 1.8 : 1.7;  // the transforms take their time, too
  return direct > worth_it * kernels::WinogradConv2d::products(shape);
}

}  // namespace easgd::cpu
