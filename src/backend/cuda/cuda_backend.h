// One CUDA device as a worker sees it: a compute stream, and a letter lane beside it.
#pragma once

#include <bitset>

#include "backend/backend_kind.h"
#include "backend/cuda/cuda_letter_lane.h"
#include "backend/cuda/device_array.h"

namespace easgd::cuda {

class CudaBackend final : public Backend {
 public:
  /// The device becomes the thread's current one; every other call leaves that as it was.
  /// Throws: DeviceError if there is no such device.
  explicit CudaBackend(const BackendOptions& options);
  ~CudaBackend() override;

  std::string device() const override;
  int index() const { return index_; }
  cudaStream_t compute() const { return compute_; }
  Buffer allocate(std::size_t count) override;
  Buffer allocate_mailbox(std::size_t count) override;
  bool can_hold(std::size_t bytes) const override;
  void upload(ConstView host, View device) override;
  void download(ConstView device, View host) override;
  void start_download(ConstView device, View mailbox) override;
  void run(const kernels::Elementwise& kernel, std::size_t count) override;
  void start_distance(ConstView x, ConstView c) override;
  double squared_distance() override;
  LetterLane& letters() override { return letters_; }
  void finish() override;
  std::unique_ptr<Model> compile(const Network& network, const ModelOptions& options) override;

 private:
  const int index_;
  Stream compute_;
  CudaLetterLane letters_;
  std::bitset<std::variant_size_v<kernels::Elementwise>> loaded_;  // kernels
  DeviceArray<double> sums_;       // of parts of a squared distance, and sums of those
  PinnedArray<double> last_sums_;  // the latter
};

}  // namespace easgd::cuda
