#include "exchange/deposits.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace easgd {

const SavedState& Checkpoint::get(const std::string& section) const {
  if (const SavedState* found = find(section)) return *found;
  throw DataError("has no section \"" + section + "\"");
}

void in_section(const std::string& section, const std::function<void()>& take) try {
  take();
} catch (const DataError& e) {
  throw DataError("section \"" + section + "\": " + e.what());
}

bool Deposits::is_gathering() const {
  const std::lock_guard lock(mutex_);
  return checkpoint_ && !is_whole();
}

bool Deposits::has_given_up() const {
  const std::lock_guard lock(mutex_);
  return gave_up_;
}

bool Deposits::owes(std::size_t worker) const {
  const std::lock_guard lock(mutex_);
  return seats_[worker].owes;
}

std::uint64_t Deposits::begin(Checkpoint center) {
  const std::lock_guard lock(mutex_);
  if (checkpoint_ && is_whole()) before_ = std::move(checkpoint_);
  checkpoint_ = std::move(center);
  gave_up_ = false;
  for (std::size_t worker = 0; worker < seats_.size(); ++worker) {
    Seat& seat = seats_[worker];
    seat.owes = !seat.left;
    if (seat.last) put(worker, *seat.last);
  }
  return ++mark_;
}

void Deposits::lay_down(Depositor by, std::uint64_t mark, SavedState replica) {
  const std::lock_guard lock(mutex_);
  if (!counts(by)) return;
  if (mark == mark_ && seats_[by.worker].owes) put(by.worker, std::move(replica));
}

void Deposits::leave(Depositor by, SavedState replica) {
  const std::lock_guard lock(mutex_);
  if (counts(by)) put_last(by.worker, std::move(replica));
}

void Deposits::bequeath(std::size_t worker, SavedState remains) {
  const std::lock_guard lock(mutex_);
  put_last(worker, std::move(remains));
}

void Deposits::put_last(std::size_t worker, SavedState replica) {
  Seat& seat = seats_[worker];
  seat.left = true;
  if (seat.owes) put(worker, replica);
  seat.last = std::move(replica);
}

void Deposits::fail(std::size_t worker, std::uint64_t mark) {
  const std::lock_guard lock(mutex_);
  Seat& seat = seats_[worker];
  ++seat.failed;
  seat.left = false;  // its thread may have come back and left a moment ago
  seat.last.reset();
  if (mark == mark_ && seat.owes) give_up_unless_last();
}

void Deposits::spoil(std::size_t worker) {
  const std::lock_guard lock(mutex_);
  if (seats_[worker].owes) give_up_unless_last();
}

void Deposits::stand_in(std::size_t worker, SavedState remains) {
  const std::lock_guard lock(mutex_);
  if (seats_[worker].owes && !checkpoint_->is_last) put(worker, std::move(remains));
}

void Deposits::lose(std::size_t worker) {
  const std::lock_guard lock(mutex_);
  Seat& seat = seats_[worker];
  if (seat.owes) give_up_unless_last();
  seat = {.owes = false, .left = true, .failed = seat.failed + 1};
}

void Deposits::give_up_unless_last() {
  if (checkpoint_->is_last) return;
  checkpoint_.reset();
  gave_up_ = true;
  for (Seat& seat : seats_) seat.owes = false;
}

std::optional<Checkpoint> Deposits::take() {
  const std::lock_guard lock(mutex_);
  if (!checkpoint_ || !is_whole() || checkpoint_->is_last) {
    return std::exchange(before_, std::nullopt);
  }
  before_.reset();
  return std::exchange(checkpoint_, std::nullopt);
}

std::optional<Checkpoint> Deposits::take_last() {
  const std::lock_guard lock(mutex_);
  if (!checkpoint_ || !is_whole() || !checkpoint_->is_last) return std::nullopt;
  return std::exchange(checkpoint_, std::nullopt);
}

void Deposits::put(std::size_t worker, SavedState replica) {
  checkpoint_->sections[Checkpoint::section_of_worker(worker)] = std::move(replica);
  seats_[worker].owes = false;
}

bool Deposits::is_whole() const {
  return std::ranges::none_of(seats_, &Seat::owes);
}

}  // namespace easgd
