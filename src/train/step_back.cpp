#include "train/step_back.h"

#include <string>
#include <utility>

namespace easgd {
namespace {

// A section of a checkpoint, and a counter in it.
constexpr const char *kGuard = "guard", *kWentBack = "went_back";
// Of one that was marked: the version at which the loss was lost, and why.
constexpr const char *kLost = "lost", *kWhy = "why";

}  // namespace

bool StepBack::heed(double loss, std::uint64_t version) {
  std::string why = loss_guard_.look(loss);
  if (why.empty()) return false;
  if (!lost_) lost_ = LostLoss{version, std::move(why)};
  return true;
}

bool StepBack::may_go_back() const {
  return lost_ && config_.action == GuardAction::back && !went_back_;
}

void StepBack::mark(Checkpoint& checkpoint) const {
  SavedState& guard = checkpoint.sections[kGuard];
  guard.counters[kWentBack] = {checkpoint.version};
  guard.counters[kLost] = {lost_->version};
  guard.texts[kWhy] = lost_->why;
}

void StepBack::unmark(Checkpoint& checkpoint) {
  SavedState& guard = checkpoint.sections[kGuard];
  guard.counters.erase(kWentBack);
  guard.counters.erase(kLost);
  guard.texts.erase(kWhy);
}

std::optional<LostLoss> StepBack::lost_before(const Checkpoint& checkpoint) {
  const SavedState* guard = checkpoint.find(kGuard);
  if (!guard || !guard->texts.contains(kWhy)) return std::nullopt;
  return LostLoss{guard->counter(kLost), guard->text(kWhy)};
}

void StepBack::add(Checkpoint& checkpoint) {
  StateSaver guard;
  loss_guard_.describe(guard);
  if (went_back_) guard.saved.counters[kWentBack] = {*went_back_};
  checkpoint.sections[kGuard] = std::move(guard.saved);
}

bool StepBack::load(const Checkpoint& checkpoint) {
  const SavedState* guard = checkpoint.find(kGuard);
  if (!guard) return false;
  in_section(kGuard, [&] {
    StateLoader loader(*guard);
    loss_guard_.describe(loader);
  });
  if (went_back_ || !guard->counters.contains(kWentBack)) return false;
  went_back_ = guard->counter(kWentBack);
  return true;
}

}  // namespace easgd
