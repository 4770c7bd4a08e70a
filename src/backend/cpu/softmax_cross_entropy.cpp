// The loss and its gradient in one pass over the scores s of each sample:
//
//   m = max s;  p_k = exp(s_k - m) / sum_j exp(s_j - m)
//   loss = log sum_j exp(s_j - m) - (s_label - m)
//   d mean loss / d s_k = (p_k - [k = label]) / N
//
// Shifting by m keeps every exponential within (0, 1]. A sample is a hit if its highest score is
// the label's, the lower class winning a tie; scores with a NaN are no hit.
#include "nn/softmax_cross_entropy.h"

#include <cmath>

#include "backend/cpu/cpu_layer.h"

namespace easgd::cpu {
namespace {

class SoftmaxCrossEntropyLayer final : public CpuLayer {
 public:
  explicit SoftmaxCrossEntropyLayer(const Link& link) : stage_(*link.stage) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    const Activation& input = inputs[0];
    stream_ = bench.stream();
    const memory::desc rows(bench.dims(stage_.input), memory::data_type::f32,
                            memory::format_tag::nchw);
    scores_ = Converted(bench, input.values, rows);
    gradient_ = bench.make(rows);
    return {gradient_, false};
  }

  Activation compile_backward(Workbench&, const Activation&, bool) override {
    return {gradient_, true};
  }

  void forward(CpuPass& pass) override {
    scores_.refresh(stream_);
    const auto classes = stage_.input.size();
    const auto* scores = static_cast<const float*>(scores_.get().get_data_handle());
    auto* gradient = static_cast<float*>(gradient_.get_data_handle());
    for (std::size_t n = 0; n < pass.batch.size(); ++n) {
      sample({scores + n * classes, classes}, pass.batch.labels[n],
             {gradient + n * classes, classes}, pass.tally);
    }
    const float share = 1.0f / float(pass.samples);
    for (std::size_t i = 0; i < pass.batch.size() * classes; ++i) gradient[i] *= share;
  }

  void backward(CpuPass&) override {}

 private:
  /// LossReadback one sample; gradient is that of its own loss.
  static void sample(ConstView scores, std::int32_t label, View gradient, Tally& tally) {
    const auto truth = std::size_t(label);
    std::size_t best = 0;
    bool nan = false;
    for (std::size_t k = 0; k < scores.size(); ++k) {
      if (scores[k] > scores[best]) best = k;
      nan |= scores[k] != scores[k];
    }
    float sum = 0;
    for (std::size_t k = 0; k < scores.size(); ++k) {
      sum += gradient[k] = std::exp(scores[k] - scores[best]);
    }
    for (float& p : gradient) p /= sum;
    gradient[truth] -= 1;
    tally.loss += std::log(double(sum)) - (double(scores[truth]) - double(scores[best]));
    tally.hits += !nan && best == truth;
    tally.samples += 1;
  }

  const Stage& stage_;
  dnnl::stream stream_;
  Converted scores_;
  memory gradient_;
};

const Registered<CpuLayerEntry> kRegistered(SoftmaxCrossEntropy().kind(),
                                            {[](const Workbench&, const Link& link) {
                                              return std::make_unique<SoftmaxCrossEntropyLayer>(
                                                  link);
                                            }});

}  // namespace
}  // namespace easgd::cpu
