// Convolution by cuDNN. The algorithms are the first of its own ranking that give the same bits
// every time; factors of products are float32 too, but for precision = "tf32".
#include "nn/conv2d.h"

#include <span>

#include "backend/cuda/cuda_layer.h"
#include "backend/cuda/descriptor.h"
#include "base/error.h"

namespace easgd::cuda {
namespace {

using FilterDescriptor = Handle<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor =
    Handle<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor>;

constexpr int kRanked = 10;

/// The first of cuDNN's ranking that gives the same bits every time and for which `workspace_of`
/// answers how many bytes it needs, with this descriptor's kind of arithmetic.
template <class Ranked, class WorkspaceOf>
auto choose(Workbench& bench, std::span<const Ranked> ranking, const WorkspaceOf& workspace_of,
            const char* call) {
  for (const Ranked& each : ranking) {
    std::size_t bytes = 0;
    if (each.status != CUDNN_STATUS_SUCCESS || each.determinism != CUDNN_DETERMINISTIC) continue;
    if (workspace_of(each.algo, &bytes) != CUDNN_STATUS_SUCCESS) continue;
    bench.reserve(bytes);
    return each.algo;
  }
  check(CUDNN_STATUS_NOT_SUPPORTED, call);
  return ranking.front().algo;  // not reached
}

/// Weights in the flat vector start wherever the layers before have left off; cuDNN wants them on a
/// boundary of 16 bytes. Where they are not, they are copied.
class AlignedSlice {
 public:
  AlignedSlice() = default;
  AlignedSlice(Workbench& bench, const Slice& slice)
      : bytes_(slice.count * sizeof(float)),
        copy_(slice.offset % 4 == 0 ? nullptr : bench.make_floats(slice.count)) {}

  const float* read(const Workbench& bench, const float* values) const {
    if (copy_) copy(values, copy_, bytes_, bench.stream());
    return copy_ ? copy_ : values;
  }
  float* place(float* values) const { return copy_ ? copy_ : values; }
  /// After place() has been written.
  void write(const Workbench& bench, float* values) const {
    if (copy_) copy(copy_, values, bytes_, bench.stream());
  }

 private:
  std::size_t bytes_ = 0;
  float* copy_ = nullptr;
};

class ConvLayer final : public CudaLayer {
 public:
  ConvLayer(Workbench& bench, const Wiring& wiring);

  void forward(const Workbench& bench, const Pass& pass) override;
  void backward(const Workbench& bench, const Pass& pass) override;

 private:
  void choose_forward(Workbench& bench);
  void choose_backward(Workbench& bench);

  const Conv2d& options_;
  AlignedSlice weights_, weight_gradient_;
  const float* weights_read_ = nullptr;
  TensorDescriptor input_, output_, bias_;
  FilterDescriptor filter_;
  ConvolutionDescriptor convolution_;
  cudnnConvolutionFwdAlgo_t forward_{};
  cudnnConvolutionBwdDataAlgo_t backward_data_{};
  cudnnConvolutionBwdFilterAlgo_t backward_filter_{};
};

ConvLayer::ConvLayer(Workbench& bench, const Wiring& wiring)
    : CudaLayer(wiring),
      options_(dynamic_cast<const Conv2d&>(*wiring.stage->layer)),
      weights_(bench, wiring.stage->slices[0]),
      input_(describe(bench.batch(), wiring.stage->input)),
      output_(describe(bench.batch(), wiring.stage->output)),
      bias_(describe(1, {wiring.stage->output.channels, 1, 1})) {
  const int k = int(options_.kernel), stride = int(options_.stride), pad = int(options_.pad);
  check(cudnnCreateFilterDescriptor(filter_.place()), "cudnnCreateFilterDescriptor");
  check(
      cudnnSetFilter4dDescriptor(filter_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW,
                                 wiring.stage->output.channels, wiring.stage->input.channels, k, k),
      "cudnnSetFilter4dDescriptor");
  check(cudnnCreateConvolutionDescriptor(convolution_.place()), "cudnnCreateConvolutionDescriptor");
  check(cudnnSetConvolution2dDescriptor(convolution_, pad, pad, stride, stride, 1, 1,
                                        CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        "cudnnSetConvolution2dDescriptor");
  check(
      cudnnSetConvolutionMathType(convolution_, bench.tf32() ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
      "cudnnSetConvolutionMathType");
  choose_forward(bench);
  if (!bench.options().training) return;
  weight_gradient_ = AlignedSlice(bench, wiring.stage->slices[0]);
  choose_backward(bench);
}

void ConvLayer::choose_forward(Workbench& bench) {
  const char* call = "cudnnGetConvolutionForwardAlgorithm";
  cudnnConvolutionFwdAlgoPerf_t ranking[kRanked];
  int count = 0;
  check(cudnnGetConvolutionForwardAlgorithm_v7(bench.cudnn(), input_, filter_, convolution_,
                                               output_, kRanked, &count, ranking),
        call);
  forward_ = choose(
      bench, std::span<const cudnnConvolutionFwdAlgoPerf_t>(ranking, std::size_t(count)),
      [&](auto algorithm, std::size_t* bytes) {
        return cudnnGetConvolutionForwardWorkspaceSize(bench.cudnn(), input_, filter_, convolution_,
                                                       output_, algorithm, bytes);
      },
      call);
}

void ConvLayer::choose_backward(Workbench& bench) {
  const char* call = "cudnnGetConvolutionBackwardDataAlgorithm";
  cudnnConvolutionBwdDataAlgoPerf_t data[kRanked];
  int count = 0;
  check(cudnnGetConvolutionBackwardDataAlgorithm_v7(bench.cudnn(), filter_, output_, convolution_,
                                                    input_, kRanked, &count, data),
        call);
  backward_data_ = choose(
      bench, std::span<const cudnnConvolutionBwdDataAlgoPerf_t>(data, std::size_t(count)),
      [&](auto algorithm, std::size_t* bytes) {
        return cudnnGetConvolutionBackwardDataWorkspaceSize(bench.cudnn(), filter_, output_,
                                                            convolution_, input_, algorithm, bytes);
      },
      call);

  call = "cudnnGetConvolutionBackwardFilterAlgorithm";
  cudnnConvolutionBwdFilterAlgoPerf_t filter[kRanked];
  check(cudnnGetConvolutionBackwardFilterAlgorithm_v7(bench.cudnn(), input_, output_, convolution_,
                                                      filter_, kRanked, &count, filter),
        call);
  backward_filter_ = choose(
      bench, std::span<const cudnnConvolutionBwdFilterAlgoPerf_t>(filter, std::size_t(count)),
      [&](auto algorithm, std::size_t* bytes) {
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(
            bench.cudnn(), input_, output_, convolution_, filter_, algorithm, bytes);
      },
      call);
}

void ConvLayer::forward(const Workbench& bench, const Pass& pass) {
  weights_read_ = weights_.read(bench, wiring_.slice(pass.x, 0));
  check(cudnnConvolutionForward(bench.cudnn(), &kOne, input_, wiring_.input(pass), filter_,
                                weights_read_, convolution_, forward_, bench.workspace(),
                                bench.workspace_bytes(), &kZero, output_, wiring_.output),
        "cudnnConvolutionForward");
  if (!options_.use_bias) return;
  check(cudnnAddTensor(bench.cudnn(), &kOne, bias_, wiring_.slice(pass.x, 1), &kOne, output_,
                       wiring_.output),
        "cudnnAddTensor");
}

void ConvLayer::backward(const Workbench& bench, const Pass& pass) {
  check(cudnnConvolutionBackwardFilter(bench.cudnn(), &kOne, input_, wiring_.input(pass), output_,
                                       wiring_.output_gradient, convolution_, backward_filter_,
                                       bench.workspace(), bench.workspace_bytes(), &kZero, filter_,
                                       weight_gradient_.place(wiring_.slice(pass.g, 0))),
        "cudnnConvolutionBackwardFilter");
  weight_gradient_.write(bench, wiring_.slice(pass.g, 0));
  if (options_.use_bias) {
    check(cudnnConvolutionBackwardBias(bench.cudnn(), &kOne, output_, wiring_.output_gradient,
                                       &kZero, bias_, wiring_.slice(pass.g, 1)),
          "cudnnConvolutionBackwardBias");
  }
  const auto [to, add] = wiring_.gradients[0];
  if (!to) return;
  check(cudnnConvolutionBackwardData(bench.cudnn(), &kOne, filter_, weights_read_, output_,
                                     wiring_.output_gradient, convolution_, backward_data_,
                                     bench.workspace(), bench.workspace_bytes(), kept(add), input_,
                                     to),
        "cudnnConvolutionBackwardData");
}

const Registered<CudaLayerEntry> kRegistered(Conv2d().kind(), cuda_layer<ConvLayer>());

}  // namespace
}  // namespace easgd::cuda
