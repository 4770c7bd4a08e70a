// The faults of debug.fail: a sentence each, as "worker 1 throws at step 40".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace easgd {

struct Fault {
  enum class Kind {
    throws,
    runs_out_of_memory,
    loses_its_device,
    loses_its_data,
    stalls,               ///< for so many seconds (`amount`)
    sends_nan,            ///< its gradient is none, and so is its next letter
    multiplies_its_loss,  ///< as it is reported, by `amount`
    disk_is_full,
    folder_is_read_only,
  };

  Kind kind;
  std::uint64_t worker = 0;  ///< whose it is, if it is a worker's
  double amount = 0;
  std::uint64_t first = 0, last = 0;  ///< the steps, or the versions, in which it strikes
  std::uint64_t period = 0;           ///< instead: every so many steps; 0: none
  std::string sentence = {};

  bool covers(std::uint64_t step) const {
    return period > 0 ? step > 0 && step % period == 0 : first <= step && step <= last;
  }
  /// Whether a worker is struck that comes to this step after it has begun, or begun again, with
  /// the step `began`; nothing: with the run. What strikes in one step does not strike who begins
  /// again there; what strikes from one to another does.
  bool strikes(std::uint64_t step, std::optional<std::uint64_t> began) const {
    return covers(step) && (first < last || began != step);
  }
};

/// Throws: KeyError against debug.fail, with what it takes.
std::vector<Fault> parse_faults(const std::vector<std::string>& sentences);

/// Of the folder of the run, not of a worker.
bool is_of_folder(Fault::Kind kind);

/// The fault by which nothing can be written of this version; null if it can.
const Fault* bar_to_writing(const std::vector<Fault>& faults, std::uint64_t version);

}  // namespace easgd
