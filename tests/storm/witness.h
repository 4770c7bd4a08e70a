// Looks at a run at every event, and says what is wrong.
//
//   versions    each letter that is absorbed is one
//   letters     sent = absorbed + refused + at most one that is on its way, of each worker
//   center      what it gains the workers lose (methods whose reply is their pull), or what the
//               letters carry (methods that add them up)
//   clocks      of workers and of virtual time go on, and never back
//   staleness   what has passed since the worker's last letter, and no more than times allow
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "exchange/team.h"
#include "weather.h"

namespace easgd::storm {

class Witness {
 public:
  /// Of one run; `from`: that it goes on from, or null.
  Witness(const Weather& weather, const Checkpoint* from);

  /// Puts itself between the team and its rules, letters and batches. Both outlive the team.
  void attend(TeamOptions& options, Algorithm& algorithm);
  /// From on_begin, on the master's thread.
  void see_beginning(const Beginning& beginning) { last_version_[beginning.worker] = absorbed_; }
  /// From on_version, on the master's thread.
  void see_version(const CenterView& center, const Team& team);
  /// After join().
  void see_end(const Team& team);

  /// The first thing that was wrong.
  std::optional<std::string> complaint() const;

  // From the threads of the run.
  void complain(const std::string& what);
  void see_letter(std::size_t worker) { ++sent_[worker]; }
  void see_round(const Round& round, const std::vector<float>& before, ConstView after);
  /// The worker's x [P] before and after a step.
  void see_loss(ConstView before, ConstView after, ConstView g, ConstView reply,
                const Rates& rates);

 private:
  void check_letters(const Team& team);
  std::uint64_t most_stale() const;

  const Weather& weather_;
  const Algorithm& algorithm_;
  mutable std::mutex mutex_;
  std::optional<std::string> complaint_;
  std::vector<std::atomic<std::uint64_t>> sent_;
  // The master's.
  std::uint64_t version_ = 0, absorbed_ = 0;
  std::vector<std::uint64_t> last_version_, clocks_;
  double seconds_ = 0;
};

}  // namespace easgd::storm
