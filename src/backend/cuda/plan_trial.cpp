#include "backend/cuda/plan_trial.h"

#include <limits>

#include "base/error.h"

namespace easgd::cuda {
namespace {

constexpr int kRuns = 4;

}  // namespace

PlanTrial::PlanTrial(cudnnHandle_t handle, cudaStream_t stream, const Convolution& c,
                     std::size_t workspace)
    : handle_(handle),
      stream_(stream),
      from_(make_timed_event()),
      to_(make_timed_event()),
      workspace_(workspace),
      graphs_(stream) {
  const auto samples = std::size_t(c.samples), bytes = c.format.bytes();
  const auto filter = std::size_t(c.kernel.area());
  const auto in = std::size_t(c.filter_channels()), out = std::size_t(c.output.channels);
  x_ = DeviceArray<std::byte>(samples * c.input.size() * bytes);
  y_ = DeviceArray<std::byte>(samples * c.output.size() * bytes);
  w_ = DeviceArray<std::byte>(out * filter * in * bytes);
  b_ = DeviceArray<std::byte>(out * bytes);
}

PlanTrial::~PlanTrial() {
  cudaStreamSynchronize(stream_);
}

void PlanTrial::run_once(const ConvolutionPlan& plan) {
  run(plan);
  check(cudaStreamSynchronize(stream_), "a plan of a convolution, tried");
}

double PlanTrial::time(const ConvolutionPlan& plan) {
  try {
    check(cudaEventRecord(from_, stream_), "cudaEventRecord");
    graphs_.run({&plan}, [&] {
      for (int i = 0; i < kRuns; ++i) run(plan);
    });
    check(cudaEventRecord(to_, stream_), "cudaEventRecord");
    check(cudaEventSynchronize(to_), "a plan of a convolution, timed");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, from_, to_), "cudaEventElapsedTime");
    return 1e-3 * double(milliseconds);
  } catch (const DeviceError&) {
    return std::numeric_limits<double>::infinity();
  }
}

void PlanTrial::run(const ConvolutionPlan& plan) const {
  plan.run(handle_, {.x = x_.data(), .w = w_.data(), .y = y_.data(), .b = b_.data()},
           workspace_.data());
}

}  // namespace easgd::cuda
