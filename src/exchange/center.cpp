#include "exchange/center.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "backend/backend_kind.h"
#include "base/error.h"
#include "base/trace.h"
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
      parameters_(state0.size() - statistics.count),
      statistics_(host_buffer(statistics.count)),
      policy_(statistics.policy),
      order_(std::move(order)),
      mailboxes_(std::move(mailboxes)),
      telemetry_(std::move(telemetry)),
      desks_(mailboxes_.size()),
      bell_(bell),
      steps_(mailboxes_.size()),
      last_version_(mailboxes_.size()),
      states_(mailboxes_.size()) {
  make_sites(place, options, state0.first(parameters_));
  std::ranges::copy(state0.last(statistics.count), statistics_.view().begin());
  make_desks(place.routes);
}

void Center::make_sites(const CenterPlace& place, const CenterOptions& options, ConstView center0) {
  std::vector<Backend*> places;
  for (const MakeBackend& make : place.sites) {
    Site& site = sites_.emplace_back();
    site.place = make();
    site.center = site.place->allocate(parameters_);
    site.place->upload(center0, site.center);
    site.rule = algorithm_.center(*site.place, options, center0);
    places.push_back(site.place.get());
  }
  if (sites_.size() == 1) return;
  assert(algorithm_.absorbs_sums && sites_.size() == desks_.size());
  for (Site& site : sites_) {
    site.sum = site.place->allocate(parameters_);
    sums_.push_back(site.sum);
  }
  terms_.resize(sites_.size());
  collective_ = place.collective(places);
}

void Center::make_desks(const std::vector<Route>& routes) {
  const std::size_t state = parameters_ + statistics_.size();
  for (std::size_t i = 0; i < desks_.size(); ++i) {
    Desk& desk = desks_[i];
    desk.site = &sites_[sites_.size() == 1 ? 0 : i];
    if (i < routes.size()) desk.route = routes[i];
    desk.statistics = desk.site->place->allocate_mailbox(statistics_.size());
    if (desk.route == Route::host) continue;
    desk.lent = desk.site->place->allocate(2 * state);
    const View letter = desk.lent.view().first(state), reply = desk.lent.view().last(state);
    desk.letter = letter.first(parameters_);
    desk.reply = reply.first(parameters_);
    if (desk.route == Route::peer) mailboxes_[i]->attach(letter, reply);
  }
}

CenterView Center::view(std::size_t index) const {
  CenterView result{
      .version = version_, .steps = steps_, .train = train_, .seconds = order_->seconds()};
  if (const ConstView last = last_; !last.empty()) {
    result.center = last.first(parameters_);
    result.statistics = last.subspan(parameters_);
  } else {
    const Site& site = sites_[index];
    result.center = site.rule->evaluated(site.center);
    result.place = site.place.get();
    result.statistics = statistics_;
  }
  return result;
}

void Center::run(std::stop_token stop) {
  for (std::size_t i = 0; i < desks_.size(); ++i) {
    if (desks_[i].route != Route::host || mailboxes_[i]->letter().empty()) continue;
    desks_[i].letter = mailboxes_[i]->letter().first(parameters_);
    desks_[i].reply = mailboxes_[i]->reply_to_write().first(parameters_);
  }
  try {
    serve(stop);
    bring_home(0);
    leave_sites();
  } catch (...) {
    collective_.reset();  // devices that wait for one that has failed wait no more
    for (Mailbox* mailbox : mailboxes_) mailbox->close();
    lost_ = !rescue();
    throw;
  }
}

/// Leaves the center in host memory, for whoever comes after the master.
void Center::bring_home(std::size_t site) {
  Buffer last = host_buffer(parameters_ + statistics_.size());
  view(site).copy_to(last);
  last_ = std::move(last);
}

/// What the devices have of the center, given back by the thread that made it. Workers have left.
void Center::leave_sites() {
  collective_.reset();
  desks_.clear();
  sites_.clear();
}

/// After a failure: the center from the first site that still answers. Else zeros.
bool Center::rescue() {
  for (std::size_t i = 0; i < sites_.size() && last_.size() == 0; ++i) {
    try {
      bring_home(i);
    } catch (const DeviceError&) {  // the failure that brought us here, once more
    }
  }
  if (last_.size() > 0) return true;
  last_ = host_buffer(parameters_ + statistics_.size());
  return false;
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
  const TraceScope range("absorb");
  accepted_.clear();
  letters_.clear();
  letter_statistics_.clear();
  const bool at_once = sites_.size() > 1;  // letters, each on a device of its own
  for (const int worker : round) {
    if (at_once && !mailboxes_[std::size_t(worker)]->note_to_read().pull) take_in(worker);
  }
  for (const int worker : round) {
    absorbed_.push_back(std::uint16_t(worker));
    const auto w = std::size_t(worker);
    if (mailboxes_[w]->note_to_read().pull) {
      answer_pull(worker);
      continue;
    }
    if (!at_once) take_in(worker);
    if (refuse_if_not_finite(worker)) continue;
    accepted_.push_back(worker);
    letters_.push_back({desks_[w].letter, desks_[w].reply, mailboxes_[w]->note_to_read().rates, w});
    letter_statistics_.push_back(desks_[w].statistics);
  }
  if (accepted_.empty()) return;
  absorb_accepted();
  absorb_statistics(policy_, letter_statistics_, mailboxes_.size(), statistics_);
  const bool holds_reply = algorithm_.replies && algorithm_.timing != Timing::around;
  const auto kind = holds_reply ? Mailbox::Reply::values : Mailbox::Reply::none;
  for (const int worker : accepted_) note_exchange(worker);
  for (const int worker : accepted_) {
    if (holds_reply) send_out(std::size_t(worker));
  }
  finish();
  for (const int worker : accepted_) {
    mailboxes_[std::size_t(worker)]->answer(kind);
  }
  if (on_version && on_version(view())) train_ = {};
}

void Center::absorb_accepted() {
  if (collective_) return absorb_sum();
  sites_[0].rule->absorb(Round(letters_), sites_[0].center);
}

/// Where a worker has left, or its letter was refused, its site adds nothing and absorbs the sum
/// of the others' like every site.
void Center::absorb_sum() {
  std::ranges::fill(terms_, ConstView());
  for (const Letter& letter : letters_) {
    Site& site = sites_[letter.worker];
    terms_[letter.worker] = site.rule->summand(letter, site.center);
  }
  collective_->sum(terms_, sums_);
  collective_->finish();  // a sum that fails is not absorbed anywhere
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    const auto own = std::ranges::find(letters_, i, &Letter::worker);
    const std::span here(own, own == letters_.end() ? 0 : 1);
    const Round round(here, letters_.size(), letters_.back().rates, sums_[i]);
    sites_[i].rule->absorb(round, sites_[i].center);
  }
}

void Center::finish() {
  if (collective_) return collective_->finish();
  sites_[0].place->finish();
}

/// Brings a letter to where the center is, and its statistics to the host; begins to measure it.
void Center::take_in(int worker) {
  const auto w = std::size_t(worker);
  Desk& desk = desks_[w];
  const ConstView letter = mailboxes_[w]->letter_to_read();
  Backend& place = *desk.site->place;
  if (desk.route == Route::staged) place.upload(letter.first(parameters_), desk.letter);
  place.start_download(letter.subspan(parameters_), desk.statistics);
  place.start_distance(desk.letter, algorithm_.sends_change ? ConstView() : desk.site->center);
}

/// What is in the desk's reply to where the worker finds it.
void Center::send_out(std::size_t worker) {
  const Desk& desk = desks_[worker];
  if (desk.route != Route::staged) return;
  desk.site->place->download(desk.reply, mailboxes_[worker]->reply_to_write().first(parameters_));
}

void Center::answer_pull(int worker) {
  const auto w = std::size_t(worker);
  const Desk& desk = desks_[w];
  const ConstView pulled = desk.site->rule->pulled(desk.site->center);
  desk.site->place->run(kernels::Copy{desk.reply.data(), pulled.data()}, parameters_);
  send_out(w);
  desk.site->place->finish();
  mailboxes_[w]->answer(Mailbox::Reply::values);
}

/// A letter that is not finite, or too far, leaves the center clean, and its worker starts anew.
bool Center::refuse_if_not_finite(int worker) {
  const auto w = std::size_t(worker);
  const Desk& desk = desks_[w];
  Backend& place = *desk.site->place;
  const ConstView center = desk.site->center;
  Mailbox& mailbox = *mailboxes_[w];
  WorkerTelemetry& telemetry = *telemetry_[w];
  const double squared = place.squared_distance();
  const double of_statistics =
      kernels::squared_distance(desk.statistics.data(), nullptr, desk.statistics.size());
  if (squared < kFarthest * kFarthest && of_statistics < kFarthest * kFarthest) {
    telemetry.distance = std::sqrt(squared);
    return false;
  }
  ++telemetry.refused;
  telemetry.last_refused = mailbox.note_to_read().clock;
  place.run(kernels::Copy{desk.reply.data(), center.data()}, parameters_);
  send_out(w);
  place.upload(statistics_, mailbox.reply_to_write().subspan(parameters_));
  place.finish();
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
