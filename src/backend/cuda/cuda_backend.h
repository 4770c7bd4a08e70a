// One CUDA device as a worker sees it: two streams, and events between them.
//
//   compute    gradient, fused passes         transfer   letter out, reply in
//   post:      [statistics aside] --event-->  letter -> host memory -> posted(), on a thread of CUDA's
//   fetch:     ... waits     <--event--       reply -> device memory
//
// The host waits for neither, but, before it looks for the reply to a letter, for the letter to
// have left: a device that has failed calls nobody.
#pragma once

#include <array>
#include <bitset>

#include "backend/backend.h"
#include "backend/cuda/stream.h"

namespace easgd::cuda {

class CudaBackend final : public Backend {
 public:
  /// Throws: DeviceError where there is no such device.
  explicit CudaBackend(const BackendOptions& options);
  ~CudaBackend() override;

  std::string device() const override;
  int index() const { return index_; }
  cudaStream_t compute() const { return compute_; }
  /// Makes the device the thread's current one, on which memory, kernels and events are made: a
  /// thread may have several backends.
  void enter() const { check(cudaSetDevice(index_), "cudaSetDevice"); }

  Buffer allocate(std::size_t count) override {
    enter();
    return device_buffer(count);
  }
  Buffer allocate_mailbox(std::size_t count) override { return pinned_buffer(count); }
  bool can_hold(std::size_t bytes) const override;
  void upload(ConstView host, View device) override;
  void download(ConstView device, View host) override;
  void start_download(ConstView device, View mailbox) override;
  void run(const kernels::Elementwise& kernel, std::size_t count) override;
  void start_distance(ConstView x, ConstView c) override;
  double squared_distance() override;
  void post(ConstView x, ConstView statistics, View letter, std::function<void()> posted) override;
  void wait_posted() override;
  ConstView fetch(ConstView reply) override;
  std::optional<double> stood_still() const override { return stood_still_; }
  void finish() override;
  std::unique_ptr<Model> compile(const Network& network, const ModelOptions& options) override;

 private:
  const int index_;
  Stream compute_, transfer_;
  Event computed_, arrived_;
  /// When the compute stream had done all it could without a reply, and when it went on.
  struct Pause {
    Event from, to;
    bool ended = false;  ///< `to` is recorded
  };
  void measure(Pause& pause);
  std::array<Pause, 2> pauses_;  // of this exchange and the one before
  std::size_t turn_ = 0;
  double stood_still_ = 0;        // seconds
  Buffer statistics_;             // of the letter that is on its way
  std::function<void()> posted_;  // of the same
  Buffer reply_;
  std::bitset<std::variant_size_v<kernels::Elementwise>> loaded_;  // kernels
  Buffer sums_, last_sums_;  // of parts of a squared distance; in host memory
};

/// How many CUDA devices there are.
/// Throws: DeviceError saying why there is none.
int count_devices();

}  // namespace easgd::cuda
