// Pooling in the layout its input comes in. A plane is a channel of one sample, of a block of eight
// channels, or of all samples: see layout.h.
//
//   maxpool   y = max over the window;  dx = dy at the first maximum
//   avgpool   y = mean over the window; dx = dy / |window|
//
// Of a window that reaches into the padding only what lies in the image is looked at; a mean is
// over all of it.
#include "nn/pool2d.h"

#include <algorithm>
#include <map>
#include <utility>

#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/vector8.h"

namespace easgd::cpu {
namespace {

/// The argmax of a window of which ReLU let nothing through.
constexpr std::int32_t kNowhere = 0xFFFF;

/// Of a window's values, from its corner: the first of them.
using Offsets = std::vector<std::size_t>;

/// Where windows lie in a plane, in values.
struct Windows {
  struct Window {
    std::size_t corner;
    const Offsets* offsets;
  };

  std::size_t input_size, output_size;  ///< of a plane
  std::size_t lanes;
  std::vector<Window> list;  ///< row by row
  /// By how many rows and columns of a window lie in the image.
  std::map<std::pair<std::size_t, std::size_t>, Offsets> offsets;
  float share;  ///< 1 / |window|
  bool tile;    ///< every input value lies in exactly one window
};

/// The rows of a row of windows, or columns, that lie in the image.
struct Range {
  std::size_t first, count;
};

Range range_in_image(std::int64_t first, std::int64_t kernel, std::int64_t side) {
  const std::int64_t begin = std::max<std::int64_t>(first, 0);
  return {std::size_t(begin), std::size_t(std::min(first + kernel, side) - begin)};
}

Windows make_windows(const Planes& in, Shape out, const Pool2d& options) {
  const Sides kernel = options.kernel, stride = options.stride, pad = options.pad;
  const auto width = std::size_t(in.width);
  Windows w{};
  w.lanes = in.lanes;
  w.input_size = in.lanes * width * std::size_t(in.height);
  w.output_size = in.lanes * std::size_t(out.width) * std::size_t(out.height);
  for (int row = 0; row < out.height; ++row) {
    const Range rows = range_in_image(row * stride.height - pad.height, kernel.height, in.height);
    for (int column = 0; column < out.width; ++column) {
      const Range columns =
          range_in_image(column * stride.width - pad.width, kernel.width, in.width);
      Offsets& offsets = w.offsets[{rows.count, columns.count}];
      for (std::size_t i = offsets.size(); i < rows.count * columns.count; ++i) {
        offsets.push_back((i / columns.count * width + i % columns.count) * in.lanes);
      }
      w.list.push_back({(rows.first * width + columns.first) * in.lanes, &offsets});
    }
  }
  w.share = 1.0f / float(kernel.area());
  w.tile = kernel == stride && pad == Sides{} && in.height == out.height * stride.height &&
           in.width == out.width * stride.width;
  return w;
}

/// Calls f(Eight or One, offsets, index of the first input value, index of the output value) for
/// each window.
template <class Function>
void for_windows(const Windows& w, const Function& f) {
  std::size_t output = 0;
  for (const Windows::Window& window : w.list) {
    for_lanes(w.lanes, [&](auto width, std::size_t lane) {
      f(width, *window.offsets, window.corner + lane, output + lane);
    });
    output += w.lanes;
  }
}

struct MaxFormula {
  bool relu;

  template <class Width, class T>
  void forward(Width, const Windows&, const Offsets& offsets, const T* x, T* y,
               std::uint16_t* argmax) const {
    typename Width::Float best, value;
    typename Width::Int where{}, here{};
    load_floats(x, best);
    for (std::size_t k = 1; k < offsets.size(); ++k) {
      load_floats(x + offsets[k], value);
      here += 1;
      where = value > best ? here : where;
      best = value > best ? value : best;
    }
    if (relu) {
      where = best > 0 ? where : kNowhere - typename Width::Int{};
      best = best < 0 ? typename Width::Float{} : best;
    }
    store_floats(y, best);
    narrow(argmax, where);
  }

  template <class Width, class T>
  void backward(Width, const Windows& w, const Offsets& offsets, T* dx, const T* dy,
                const std::uint16_t* argmax) const {
    typename Width::Float share, old{};
    typename Width::Int where, here{};
    load_floats(dy, share);
    widen(argmax, where);
    for (const std::size_t k : offsets) {
      if (!w.tile) load_floats(dx + k, old);
      store_floats(dx + k, old + (where == here ? share : typename Width::Float{}));
      here += 1;
    }
  }
};

struct MeanFormula {
  bool relu;  // never: the entry does not absorb one

  template <class Width, class T>
  void forward(Width, const Windows& w, const Offsets& offsets, const T* x, T* y,
               std::uint16_t*) const {
    typename Width::Float sum{}, value;
    for (const std::size_t k : offsets) {
      load_floats(x + k, value);
      sum += value;
    }
    store_floats(y, sum * w.share);
  }

  template <class Width, class T>
  void backward(Width, const Windows& w, const Offsets& offsets, T* dx, const T* dy,
                const std::uint16_t*) const {
    typename Width::Float share, old{};
    load_floats(dy, share);
    share *= w.share;
    for (const std::size_t k : offsets) {
      if (!w.tile) load_floats(dx + k, old);
      store_floats(dx + k, old + share);
    }
  }
};

template <class Formula>
class PoolLayer final : public CpuLayer {
 public:
  explicit PoolLayer(const Link& link) : stage_(*link.stage), formula_{link.relu} {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    const Activation& input = inputs[0];
    stream_ = bench.stream();
    const auto type = input.values.get_desc().data_type();
    const auto given = planes_of(input.values.get_desc());
    const auto layout = given ? given->layout : memory::format_tag::nchw;
    input_ = Converted(bench, input.values, {bench.dims(stage_.input), type, layout});
    output_ = bench.make({bench.dims(stage_.output), type, layout});
    const Planes in = *planes_of(input_.get().get_desc());
    planes_ = in.planes;
    windows_ = make_windows(in, stage_.output, dynamic_cast<const Pool2d&>(*stage_.layer));
    argmax_.resize(windows_.output_size * planes_);
    bench.count_bytes(argmax_.size() * sizeof(argmax_[0]));
    return {output_, true};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override {
    if (!wanted) return {};
    output_gradient_ = Converted(bench, dy.values, output_.get_desc());
    input_gradient_ = bench.make(input_.get().get_desc());
    return {input_gradient_, true};
  }

  void forward(CpuPass&) override {
    input_.refresh(stream_);
    with_elements(output_, [this](auto* y) {
      const auto* x = static_cast<decltype(y)>(input_.get().get_data_handle());
      for (std::size_t plane = 0; plane < planes_; ++plane) {
        const auto* from = x + plane * windows_.input_size;
        auto* to = y + plane * windows_.output_size;
        auto* argmax = argmax_.data() + plane * windows_.output_size;
        for_windows(windows_,
                    [&](auto width, const Offsets& offsets, std::size_t in, std::size_t out) {
                      formula_.forward(width, windows_, offsets, from + in, to + out, argmax + out);
                    });
      }
    });
  }

  void backward(CpuPass&) override {
    if (!input_gradient_) return;
    output_gradient_.refresh(stream_);
    with_elements(input_gradient_, [this](auto* dx) {
      const auto* dy = static_cast<decltype(dx)>(output_gradient_.get().get_data_handle());
      for (std::size_t plane = 0; plane < planes_; ++plane) {
        auto* to = dx + plane * windows_.input_size;
        const auto* from = dy + plane * windows_.output_size;
        const auto* argmax = argmax_.data() + plane * windows_.output_size;
        if (!windows_.tile) std::fill_n(to, windows_.input_size, std::decay_t<decltype(*to)>(0.0f));
        for_windows(
            windows_, [&](auto width, const Offsets& offsets, std::size_t in, std::size_t out) {
              formula_.backward(width, windows_, offsets, to + in, from + out, argmax + out);
            });
      }
    });
  }

 private:
  const Stage& stage_;
  const Formula formula_;
  dnnl::stream stream_;
  std::size_t planes_ = 0;
  Windows windows_;
  Converted input_, output_gradient_;
  memory output_, input_gradient_;
  std::vector<std::uint16_t> argmax_;  ///< one for each output value
};

template <class Formula>
CpuLayerEntry entry(bool absorbs_relu) {
  return {
      [](const Workbench&, const Link& link) { return std::make_unique<PoolLayer<Formula>>(link); },
      absorbs_relu};
}

const Registered<CpuLayerEntry> kMaxRegistered(MaxPool2d().kind(), entry<MaxFormula>(true));
const Registered<CpuLayerEntry> kAvgRegistered(AvgPool2d().kind(), entry<MeanFormula>(false));

}  // namespace
}  // namespace easgd::cpu
