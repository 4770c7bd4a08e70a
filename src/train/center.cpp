#include "train/center.h"

#include <algorithm>
#include <cmath>

#include "base/range.h"
#include "kernels/elastic.h"

namespace easgd {
namespace {

constexpr double kFarthest = 1e38;  // a pull over more is no finite float

}  // namespace

Center::Center(ConstView state0, const Statistics& statistics, const Algorithm& algorithm,
               const CenterOptions& options, std::unique_ptr<OrderPolicy> order,
               std::vector<Mailbox*> mailboxes, std::vector<WorkerTelemetry*> telemetry, Bell& bell)
    : algorithm_(algorithm),
      state_(host_buffer(state0.size())),
      center_(state_.view().first(state0.size() - statistics.count)),
      statistics_(state_.view().last(statistics.count)),
      policy_(statistics.policy),
      rule_(algorithm.center(options, state0.first(center_.size()))),
      order_(std::move(order)),
      mailboxes_(std::move(mailboxes)),
      telemetry_(std::move(telemetry)),
      bell_(bell),
      steps_(mailboxes_.size()),
      last_version_(mailboxes_.size()),
      states_(mailboxes_.size()) {
  std::ranges::copy(state0, state_.view().begin());
}

void Center::run(std::stop_token stop) {
  try {
    serve(stop);
  } catch (...) {
    for (Mailbox* mailbox : mailboxes_) mailbox->close();
    throw;
  }
}

void Center::serve(const std::stop_token& stop) {
  while (true) {
    const int rings = bell_.rings();
    std::ranges::transform(mailboxes_, states_.begin(), [](Mailbox* m) { return m->state(); });
    round_.clear();
    order_->next(states_, round_);
    if (!round_.empty() && stop.stop_requested() && is_torn()) {
      for (const int worker : round_) {
        mailboxes_[std::size_t(worker)]->answer(Mailbox::Reply::closed);
      }
    } else if (!round_.empty()) {
      absorb(round_);
    } else if (std::ranges::count(states_, Mailbox::State::left) == std::ssize(states_)) {
      return;
    } else {
      bell_.wait(rings);
    }
  }
}

bool Center::is_torn() const {
  return order_->all_or_none() && std::ranges::count(states_, Mailbox::State::left) > 0;
}

void Center::absorb(std::span<const int> round) {
  const Range range("absorb");
  accepted_.clear();
  letters_.clear();
  letter_statistics_.clear();
  for (const int worker : round) {
    absorbed_.push_back(std::uint16_t(worker));
    Mailbox& mailbox = *mailboxes_[std::size_t(worker)];
    if (mailbox.note_to_read().pull) {
      answer_pull(worker);
      continue;
    }
    if (refuse_if_not_finite(worker)) continue;
    accepted_.push_back(worker);
    const std::size_t parameters = center_.size();
    letters_.push_back({mailbox.letter_to_read().first(parameters),
                        mailbox.reply_to_write().first(parameters), mailbox.note_to_read().rates,
                        std::size_t(worker)});
    letter_statistics_.push_back(mailbox.letter_to_read().subspan(parameters));
  }
  if (accepted_.empty()) return;
  rule_->absorb(letters_, center_);
  absorb_statistics(policy_, letter_statistics_, mailboxes_.size(), statistics_);
  const bool holds_reply = algorithm_.replies && algorithm_.timing != Timing::around;
  const auto kind = holds_reply ? Mailbox::Reply::pull : Mailbox::Reply::none;
  for (const int worker : accepted_) note_exchange(worker);
  for (const int worker : accepted_) {
    mailboxes_[std::size_t(worker)]->answer(kind);
  }
  if (on_version) on_version(view());
}

void Center::answer_pull(int worker) {
  Mailbox& mailbox = *mailboxes_[std::size_t(worker)];
  std::ranges::copy(rule_->pulled(center_), mailbox.reply_to_write().begin());
  mailbox.answer(Mailbox::Reply::pull);
}

/// A letter that is not finite, or too far, leaves the center clean, and its worker starts anew.
bool Center::refuse_if_not_finite(int worker) {
  Mailbox& mailbox = *mailboxes_[std::size_t(worker)];
  WorkerTelemetry& telemetry = *telemetry_[std::size_t(worker)];
  const float* letter = mailbox.letter_to_read().data();
  const double squared = kernels::squared_distance(
      letter, algorithm_.sends_change ? nullptr : center_.data(), center_.size());
  const double of_statistics =
      kernels::squared_distance(letter + center_.size(), nullptr, statistics_.size());
  if (squared < kFarthest * kFarthest && of_statistics < kFarthest * kFarthest) {
    telemetry.distance = std::sqrt(squared);
    return false;
  }
  ++telemetry.refused;
  std::ranges::copy(state_.view(), mailbox.reply_to_write().begin());
  mailbox.answer(Mailbox::Reply::restart);
  return true;
}

void Center::note_exchange(int worker) {
  const auto w = std::size_t(worker);
  const LetterNote& note = mailboxes_[w]->note_to_read();
  steps_[w] = note.clock;
  if (std::isfinite(note.tally.loss)) train_ += note.tally;
  telemetry_[w]->staleness = version_ - last_version_[w];
  ++telemetry_[w]->exchanges;
  last_version_[w] = ++version_;
}

}  // namespace easgd
