#include "train/center.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/range.h"
#include "kernels/squared_distance.h"

namespace easgd {
namespace {

constexpr double kFarthest = 1e38;  // a pull over more is no finite float

}  // namespace

std::unique_ptr<Backend> host_place() {
  return make_backend("cpu");
}

void CenterView::copy_to(View state) const {
  const View parameters = state.first(center.size());
  if (place) {
    place->download(center, parameters);
  } else {
    std::ranges::copy(center, parameters.begin());
  }
  std::ranges::copy(statistics, state.begin() + std::ptrdiff_t(center.size()));
}

Center::Center(const CenterPlace& place, ConstView state0, const Statistics& statistics,
               const Algorithm& algorithm, const CenterOptions& options,
               std::unique_ptr<OrderPolicy> order, std::vector<Mailbox*> mailboxes,
               std::vector<WorkerTelemetry*> telemetry, Bell& bell)
    : algorithm_(algorithm),
      place_(place.backend()),
      center_(place_->allocate(state0.size() - statistics.count)),
      statistics_(host_buffer(statistics.count)),
      policy_(statistics.policy),
      rule_(algorithm.center(*place_, options, state0.first(center_.size()))),
      order_(std::move(order)),
      mailboxes_(std::move(mailboxes)),
      telemetry_(std::move(telemetry)),
      desks_(mailboxes_.size()),
      bell_(bell),
      steps_(mailboxes_.size()),
      last_version_(mailboxes_.size()),
      states_(mailboxes_.size()) {
  place_->upload(state0.first(center_.size()), center_);
  std::ranges::copy(state0.last(statistics.count), statistics_.view().begin());
  make_desks(place.routes);
}

void Center::make_desks(const std::vector<Route>& routes) {
  const std::size_t parameters = center_.size(), state = parameters + statistics_.size();
  for (std::size_t i = 0; i < desks_.size(); ++i) {
    Desk& desk = desks_[i];
    if (i < routes.size()) desk.route = routes[i];
    desk.statistics = host_buffer(statistics_.size());
    if (desk.route == Route::host) continue;
    desk.lent = place_->allocate(2 * state);
    const View letter = desk.lent.view().first(state), reply = desk.lent.view().last(state);
    desk.letter = letter.first(parameters);
    desk.reply = reply.first(parameters);
    if (desk.route == Route::peer) mailboxes_[i]->attach(letter, reply);
  }
}

CenterView Center::view() const {
  const bool home = last_.size() > 0;
  const ConstView last = last_;
  return {.center = home ? last.first(center_.size()) : rule_->evaluated(center_),
          .place = home ? nullptr : place_.get(),
          .statistics = home ? last.subspan(center_.size()) : ConstView(statistics_),
          .version = version_,
          .steps = steps_,
          .train = train_,
          .seconds = order_->seconds()};
}

void Center::run(std::stop_token stop) {
  for (std::size_t i = 0; i < desks_.size(); ++i) {
    if (desks_[i].route != Route::host || mailboxes_[i]->letter().empty()) continue;
    desks_[i].letter = mailboxes_[i]->letter().first(center_.size());
    desks_[i].reply = mailboxes_[i]->reply_to_write().first(center_.size());
  }
  try {
    serve(stop);
    bring_home();
  } catch (...) {
    for (Mailbox* mailbox : mailboxes_) mailbox->close();
    try {
      if (last_.size() == 0) bring_home();
    } catch (const DeviceError&) {  // the failure that brought us here, once more
      lost_ = true;
      last_ = host_buffer(center_.size() + statistics_.size());
    }
    throw;
  }
}

/// Leaves the center in host memory, for whoever comes after the master.
void Center::bring_home() {
  Buffer last = host_buffer(center_.size() + statistics_.size());
  view().copy_to(last);
  last_ = std::move(last);
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
    const auto w = std::size_t(worker);
    if (mailboxes_[w]->note_to_read().pull) {
      answer_pull(worker);
      continue;
    }
    take_in(w);
    if (refuse_if_not_finite(worker)) continue;
    accepted_.push_back(worker);
    letters_.push_back({desks_[w].letter, desks_[w].reply, mailboxes_[w]->note_to_read().rates, w});
    letter_statistics_.push_back(desks_[w].statistics);
  }
  if (accepted_.empty()) return;
  rule_->absorb(letters_, center_);
  absorb_statistics(policy_, letter_statistics_, mailboxes_.size(), statistics_);
  const bool holds_reply = algorithm_.replies && algorithm_.timing != Timing::around;
  const auto kind = holds_reply ? Mailbox::Reply::values : Mailbox::Reply::none;
  for (const int worker : accepted_) note_exchange(worker);
  for (const int worker : accepted_) {
    if (holds_reply) send_out(std::size_t(worker));
  }
  place_->finish();
  for (const int worker : accepted_) {
    mailboxes_[std::size_t(worker)]->answer(kind);
  }
  if (on_version) on_version(view());
}

/// A letter to where the center is, and its statistics to the host.
void Center::take_in(std::size_t worker) {
  Desk& desk = desks_[worker];
  const ConstView letter = mailboxes_[worker]->letter_to_read();
  const ConstView parameters = letter.first(center_.size());
  if (desk.route == Route::staged) place_->upload(parameters, desk.letter);
  place_->download(letter.subspan(center_.size()), desk.statistics);
}

/// What is in the desk's reply to where the worker finds it.
void Center::send_out(std::size_t worker) {
  const Desk& desk = desks_[worker];
  if (desk.route != Route::staged) return;
  place_->download(desk.reply, mailboxes_[worker]->reply_to_write().first(center_.size()));
}

void Center::answer_pull(int worker) {
  const auto w = std::size_t(worker);
  place_->run(kernels::Copy{desks_[w].reply.data(), rule_->pulled(center_).data()}, center_.size());
  send_out(w);
  place_->finish();
  mailboxes_[w]->answer(Mailbox::Reply::values);
}

/// A letter that is not finite, or too far, leaves the center clean, and its worker starts anew.
bool Center::refuse_if_not_finite(int worker) {
  const auto w = std::size_t(worker);
  const Desk& desk = desks_[w];
  Mailbox& mailbox = *mailboxes_[w];
  WorkerTelemetry& telemetry = *telemetry_[w];
  const double squared = place_->squared_distance(
      desk.letter, algorithm_.sends_change ? ConstView() : ConstView(center_));
  const double of_statistics =
      kernels::squared_distance(desk.statistics.data(), nullptr, desk.statistics.size());
  if (squared < kFarthest * kFarthest && of_statistics < kFarthest * kFarthest) {
    telemetry.distance = std::sqrt(squared);
    return false;
  }
  ++telemetry.refused;
  place_->run(kernels::Copy{desk.reply.data(), center_.data()}, center_.size());
  send_out(w);
  place_->upload(statistics_, mailbox.reply_to_write().subspan(center_.size()));
  place_->finish();
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
