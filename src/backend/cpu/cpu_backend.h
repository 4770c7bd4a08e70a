// A share of the CPU as a device: the calling thread and those of its crew, host memory, oneDNN.
//
// Both lanes are the calling thread itself: every call is done when it returns.
#pragma once

#include <vector>

#include "backend/backend_kind.h"
#include "backend/cpu/cpu_letter_lane.h"
#include "backend/cpu/crew.h"

namespace easgd::cpu {

class CpuBackend : public Backend {
 public:
  /// Throws: DeviceError if the system does not give options.threads.
  explicit CpuBackend(const BackendOptions& options);

  std::string device() const override { return "cpu"; }
  Buffer allocate(std::size_t count) override { return host_buffer(count); }
  Buffer allocate_mailbox(std::size_t count) override { return host_buffer(count); }
  void upload(ConstView host, View device) override;
  void download(ConstView device, View host) override;
  void start_download(ConstView device, View mailbox) override { download(device, mailbox); }
  void run(const kernels::Elementwise& kernel, std::size_t count) override;
  void start_distance(ConstView x, ConstView c) override;
  double squared_distance() override { return squared_distance_; }
  LetterLane& letters() override { return letters_; }
  void finish() override {}
  std::unique_ptr<Model> compile(const Network& network, const ModelOptions& options) override;

 private:
  Crew crew_;
  CpuLetterLane letters_;
  std::vector<double> sums_;  // of pieces of a squared distance
  double squared_distance_ = 0;
};

}  // namespace easgd::cpu
