// One convolution of zeros, to find out whether a plan runs, and how fast.
#pragma once

#include "backend/cuda/convolution_plan.h"
#include "backend/cuda/device_array.h"
#include "backend/cuda/graphs.h"

namespace easgd::cuda {

class PlanTrial {
 public:
  /// On the current device. Plans want at most so many bytes of workspace.
  /// Throws: DeviceError.
  PlanTrial(cudnnHandle_t handle, cudaStream_t stream, const Convolution& c, std::size_t workspace);
  ~PlanTrial();

  /// Throws: DeviceError if the plan does not run.
  void run_once(const ConvolutionPlan& plan);

  /// Seconds for a few runs; infinite if the plan does not run. From the third call on they are one
  /// piece of work, so that what the host does for a run does not count: a training step does
  /// without it too.
  double time(const ConvolutionPlan& plan);

 private:
  void run(const ConvolutionPlan& plan) const;

  cudnnHandle_t handle_;
  cudaStream_t stream_;
  Event from_, to_;
  DeviceArray<std::byte> x_, y_, w_, b_, workspace_;
  Graphs graphs_;
};

}  // namespace easgd::cuda
