// y = a + b, then max(y, 0) if a ReLU is fused, in the layout of a; da = db = dy.
#include "nn/add.h"

#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/elementwise_loops.h"

namespace easgd::cpu {
namespace {

class AddLayer final : public CpuLayer {
 public:
  explicit AddLayer(const Link& link) : relu_(link.relu) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    stream_ = bench.stream();
    first_ = inputs[0].values;
    second_ = Converted(bench, inputs[1].values, first_.get_desc());
    output_ = inputs[0].forgotten                       ? first_
              : inputs[1].forgotten || second_.copies() ? second_.get()
                                                        : bench.make(first_.get_desc());
    return {output_, true};
  }

  /// Both inputs' gradients are one memory, so neither may be overwritten.
  Activation compile_backward(Workbench& bench, const Activation& dy, bool) override {
    gradient_ = Converted(bench, dy.values, output_.get_desc(), relu_ && !dy.disposable);
    return {gradient_.get(), false};
  }

  void forward(CpuPass&) override {
    second_.refresh(stream_);
    with_elements(output_, [this](auto* y) {
      using Value = std::remove_pointer_t<decltype(y)>;
      const auto* a = static_cast<const Value*>(first_.get_data_handle());
      const auto* b = static_cast<const Value*>(second_.get().get_data_handle());
      const bool relu = relu_;
      for_each_element(stored_elements(output_.get_desc()), [=](std::size_t i) {
        const float sum = float(a[i]) + float(b[i]);
        y[i] = Value(relu && sum < 0 ? 0.0f : sum);  // a NaN stays one
      });
    });
  }

  void backward(CpuPass&) override {
    gradient_.refresh(stream_);
    if (relu_) block_gradient(output_, gradient_.get());
  }

 private:
  const bool relu_;
  dnnl::stream stream_;
  memory first_, output_;
  Converted second_, gradient_;
};

const Registered<CpuLayerEntry> kRegistered(Add().kind(),
                                            {[](const Workbench&, const Link& link) {
                                               return std::make_unique<AddLayer>(link);
                                             },
                                             /*absorbs_relu=*/true});

}  // namespace
}  // namespace easgd::cpu
