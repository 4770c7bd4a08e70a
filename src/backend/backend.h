// The door to a device. Everything above it is the same on every device; everything below it may
// keep its own layouts, streams and libraries.
//
// A backend belongs to the thread that made it, and so does everything it makes. Work is ordered in
// two lanes: the compute lane (run, gradient, evaluate, observe) and the transfer lane (letters). A
// call may return before its work is done; each lane keeps its order, and LetterLane::fetch joins
// them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "backend/letter_lane.h"
#include "backend/model.h"
#include "base/check.h"
#include "base/view.h"
#include "kernels/elementwise.h"
#include "nn/network.h"

namespace easgd {

/// Of what is copied and where it goes.
/// Throws: Bug.
inline void check_same_size(ConstView from, ConstView to) {
  EASGD_CHECK(from.size() == to.size(), "a copy of {} numbers to {}", from.size(), to.size());
}

class Backend {
 public:
  virtual ~Backend() = default;
  /// "cpu", "cuda:1".
  virtual std::string device() const = 0;

  /// Zeroed device memory.
  virtual Buffer allocate(std::size_t count) = 0;
  /// Zeroed host memory that letters and replies travel through at full speed. If a center is on a
  /// device, the memory of that device may stand for it in letters() and upload.
  virtual Buffer allocate_mailbox(std::size_t count) = 0;
  /// Whether the device can keep so many bytes of a training set: models then take batches that say
  /// how they are cut out of it.
  virtual bool can_hold(std::size_t /*bytes*/) const { return false; }
  /// Host to device, of equal sizes, done on return.
  virtual void upload(ConstView host, View device) = 0;
  /// Device to host, of equal sizes, done on return.
  virtual void download(ConstView device, View host) = 0;
  /// The same to mailbox memory, done once the compute lane is: after `squared_distance`, `finish`.
  virtual void start_download(ConstView device, View mailbox) = 0;

  /// One fused pass over flat vectors, on the compute lane.
  virtual void run(const kernels::Elementwise& kernel, std::size_t count) = 0;

  /// Begins to measure how far x [P] is from c [P], or from zero if c is empty. One at a time.
  virtual void start_distance(ConstView x, ConstView c) = 0;
  /// What it was, in double; not finite if an element of x is not. Waits for the compute lane.
  virtual double squared_distance() = 0;

  /// The transfer lane.
  virtual LetterLane& letters() = 0;

  /// Waits for both lanes.
  virtual void finish() = 0;

  virtual std::unique_ptr<Model> compile(const Network& network, const ModelOptions& options) = 0;
};

}  // namespace easgd
