// ReLU and tanh, in place where the input may be overwritten. Their gradients are functions of the
// output: relu' = [y > 0], tanh' = 1 - y^2.
#include "nn/activation.h"

#include <cmath>

#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/elementwise_loops.h"

namespace easgd::cpu {

namespace {

struct ReluFormula {
  static constexpr bool kKeepsSigns = true;
  static float value(float x) { return x < 0 ? 0.0f : x; }  // a NaN stays one
  static float chain(float y, float dy) { return y > 0 ? dy : 0.0f; }
};

struct TanhFormula {
  static constexpr bool kKeepsSigns = false;
  static float value(float x) { return std::tanh(x); }
  static float chain(float y, float dy) { return dy * (1 - y * y); }
};

/// y = f(x), where y may be x.
template <class Formula>
void apply(const memory& x, const memory& y) {
  with_elements(y, [&](auto* to) {
    using Value = std::remove_pointer_t<decltype(to)>;
    const auto* from = static_cast<const Value*>(x.get_data_handle());
    for_each_element(stored_elements(y.get_desc()),
                     [=](std::size_t i) { to[i] = Value(Formula::value(float(from[i]))); });
  });
}

/// dy = f' dy, where f' is a function of y.
template <class Formula>
void chain(const memory& y, const memory& dy) {
  with_elements(y, [&](auto* value) {
    auto* slope = static_cast<decltype(value)>(dy.get_data_handle());
    using Value = std::remove_pointer_t<decltype(value)>;
    for_each_element(stored_elements(y.get_desc()), [=](std::size_t i) {
      slope[i] = Value(Formula::chain(float(value[i]), float(slope[i])));
    });
  });
}

template <class Formula>
class ActivationLayer final : public CpuLayer {
 public:
  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    const Activation& input = inputs[0];
    input_ = input.values;
    output_ = input.disposable ? input_ : bench.make(input_.get_desc());
    return {output_, Formula::kKeepsSigns};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool) override {
    stream_ = bench.stream();
    gradient_ = Converted(bench, dy.values, output_.get_desc(), !dy.disposable);
    return {gradient_.get(), true};
  }

  void forward(CpuPass&) override { apply<Formula>(input_, output_); }

  void backward(CpuPass&) override {
    gradient_.refresh(stream_);
    chain<Formula>(output_, gradient_.get());
  }

 private:
  dnnl::stream stream_;
  memory input_, output_;
  Converted gradient_;
};

template <class Formula>
CpuLayerEntry entry() {
  return {
      [](const Workbench&, const Link&) { return std::make_unique<ActivationLayer<Formula>>(); }};
}

const Registered<CpuLayerEntry> kReluRegistered(Relu().kind(), entry<ReluFormula>());
const Registered<CpuLayerEntry> kTanhRegistered(Tanh().kind(), entry<TanhFormula>());

}  // namespace

void apply_relu(const memory& values) {
  apply<ReluFormula>(values, values);
}
void add_to(const memory& target, const memory& addend) {
  with_elements(target, [&](auto* to) {
    using Value = std::remove_pointer_t<decltype(to)>;
    const auto* from = static_cast<const Value*>(addend.get_data_handle());
    for_each_element(stored_elements(target.get_desc()),
                     [=](std::size_t i) { to[i] = Value(float(to[i]) + float(from[i])); });
  });
}
void block_gradient(const memory& output, const memory& gradient) {
  chain<ReluFormula>(output, gradient);
}

}  // namespace easgd::cpu
