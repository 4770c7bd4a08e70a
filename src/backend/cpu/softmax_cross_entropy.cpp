// The loss and its gradient in one pass over the scores s of each sample:
//
//   m = max s;  p_k = exp(s_k - m) / sum_j exp(s_j - m)
//   loss = log sum_j exp(s_j - m) - sum_k q_k (s_k - m)
//   d mean loss / d s_k = (p_k - q_k) / N
//   q_k = (1 - e) [k = label] + e / K, where e is the label smoothing in training, else 0
//
// Shifting by m keeps every exponential within (0, 1].
#include "nn/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_layer.h"

namespace easgd::cpu {
namespace {

class SoftmaxCrossEntropyLayer final : public CpuLayer {
 public:
  explicit SoftmaxCrossEntropyLayer(const Link& link)
      : stage_(*link.stage),
        smoothing_(dynamic_cast<const SoftmaxCrossEntropy&>(*stage_.layer).label_smoothing) {}

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
    if (!pass.scores.empty()) std::copy_n(scores, pass.scores.size(), pass.scores.data());
    auto* gradient = static_cast<float*>(gradient_.get_data_handle());
    const double smoothing = pass.training ? smoothing_ : 0;
    for (std::size_t n = 0; n < pass.batch.size(); ++n) {
      sample({scores + n * classes, classes}, pass.batch.labels[n], smoothing,
             {gradient + n * classes, classes}, pass.tally);
    }
    const float share = 1.0f / float(pass.samples);
    for (std::size_t i = 0; i < pass.batch.size() * classes; ++i) gradient[i] *= share;
  }

  void backward(CpuPass&) override {}

 private:
  /// One sample; gradient is that of its own loss.
  static void sample(ConstView scores, std::int32_t label, double smoothing, View gradient,
                     Tally& tally) {
    const auto truth = std::size_t(label);
    std::size_t best = 0;
    std::int32_t rank = 0;
    bool nan = false;
    for (std::size_t k = 0; k < scores.size(); ++k) {
      if (scores[k] > scores[best]) best = k;
      rank += scores[k] > scores[truth] || (k < truth && scores[k] == scores[truth]);
      nan |= scores[k] != scores[k];
    }
    float sum = 0;
    for (std::size_t k = 0; k < scores.size(); ++k) {
      sum += gradient[k] = std::exp(scores[k] - scores[best]);
    }
    for (float& p : gradient) p /= sum;
    double wanted = double(scores[truth]) - double(scores[best]);
    if (smoothing > 0) {
      const double share = smoothing / double(scores.size());
      wanted *= 1 - smoothing;
      for (const float s : scores) wanted += share * (double(s) - double(scores[best]));
      for (float& p : gradient) p -= float(share);
    }
    gradient[truth] -= float(1 - smoothing);
    tally.add(std::log(double(sum)) - wanted, nan ? Tally::kNoRank : rank);
  }

  const Stage& stage_;
  const double smoothing_;
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
