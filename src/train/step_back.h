// What a run knows of a training loss that is lost: when it was, and that it has gone back.
#pragma once

#include <cstdint>
#include <optional>

#include "exchange/checkpoint.h"
#include "runs/journal.h"
#include "settings/config.h"
#include "train/loss_guard.h"

namespace easgd {

/// Thread: the master's, while there is one.
class StepBack {
 public:
  explicit StepBack(const GuardConfig& config) : config_(config), loss_guard_(config) {}

  /// Looks at the mean training loss of a letter, or at a letter that was refused (not a number).
  /// True if the loss is lost by it, or if it is lost and this letter is as bad.
  bool heed(double loss, std::uint64_t version);
  const std::optional<LostLoss>& lost() const { return lost_; }
  /// It is lost, and the run has its step back before it.
  bool may_go_back() const;
  /// The run has gone back, and its checkpoint says for what.
  void forget_lost() { lost_.reset(); }
  /// To this version.
  std::optional<std::uint64_t> went_back() const { return went_back_; }

  void add(Checkpoint& checkpoint);
  /// Whoever goes on from this one has gone back to it, for what is lost now.
  void mark(Checkpoint& checkpoint) const;
  static void unmark(Checkpoint& checkpoint);
  /// For what the run went back to this checkpoint, if it is one that was marked.
  static std::optional<LostLoss> lost_before(const Checkpoint& checkpoint);
  /// True if the run had gone back by then, and this object did not know.
  bool load(const Checkpoint& checkpoint);

 private:
  const GuardConfig& config_;
  LossGuard loss_guard_;
  std::optional<LostLoss> lost_;
  std::optional<std::uint64_t> went_back_;  // to this version, and on more slowly
};

}  // namespace easgd
