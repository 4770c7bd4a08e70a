// How letters leave a device and replies come in.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "base/view.h"

namespace easgd {

/// Throws: Bug if the parts of a letter do not fill it.
void check_letter_size(std::span<const ConstView> parts, ConstView letter);

/// The transfer lane of a backend. Its work runs beside that of the compute lane, keeps its own
/// order, and may outlast the call that began it; `fetch` joins the two lanes. One letter at a
/// time.
/// Thread: the backend's.
class LetterLane {
 public:
  virtual ~LetterLane() = default;

  /// Copies the parts, one after another, to `to` in mailbox memory, and then calls `posted`, on
  /// any thread. The parts are copied as the work before left them on the compute lane:
  ///
  ///   parts[0]   is read in place. Later work of the compute lane may read it, and may write it
  ///              after the next `fetch`, or once `wait_posted` has returned.
  ///   the rest   are copied aside first, within the compute lane. Its later work may write them at
  ///              once. On a device this takes as much memory as they have.
  ///
  /// Nobody else may write `to` until `posted` is called. There is one part at least, and `to` has
  /// the size of all.
  /// Throws: Bug if it has not; DeviceError.
  virtual void post(std::span<const ConstView> parts, View to, std::function<void()> posted) = 0;

  /// Returns once `posted` of the last letter has been called.
  /// Throws: DeviceError if the device has failed and it never will be.
  virtual void wait_posted() = 0;

  /// Makes a reply in mailbox memory readable by later work of the compute lane, until the next
  /// `fetch`.
  virtual ConstView fetch(ConstView reply) = 0;

  /// Seconds for which the compute lane has had no work because a reply was late, as far as has
  /// been measured; nothing if the lane is the calling thread, which can see for itself.
  virtual std::optional<double> reply_stall_seconds() const { return std::nullopt; }
};

}  // namespace easgd
