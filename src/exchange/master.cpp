#include "exchange/master.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/trace.h"
#include "kernels/squared_distance.h"

namespace easgd {
namespace {

constexpr double kFarthest = 1e38;  // a pull over more is no finite float

std::unique_ptr<CenterStore> make_store(const MasterOptions& options, ConstView x0) {
  const CenterPlacement& placement = options.placement;
  const CenterStart start{options.algorithm, options.rules, x0};
  if (placement.devices.size() == 1) return make_single_center(placement.devices[0], start);
  EASGD_CHECK(placement.devices.size() == options.members.size(), "{} devices for {} workers",
              placement.devices.size(), options.members.size());
  return make_replicated_center(placement.devices, placement.collective, start);
}

}  // namespace

Master::Master(MasterOptions options, Bell& bell)
    : algorithm_(options.algorithm),
      parameters_(options.state0.size() - options.statistics.count),
      workers_(options.rules.workers),
      policy_(options.statistics.policy),
      order_(std::move(options.order)),
      on_failure_(std::move(options.on_failure)),
      on_begin_(std::move(options.on_begin)),
      on_loss_(std::move(options.on_loss)),
      on_version_(std::move(options.on_version)),
      checkpoints_(std::move(options.checkpoints)),
      bell_(bell),
      store_(make_store(options, options.state0.first(parameters_))),
      statistics_(host_buffer(options.statistics.count)),
      last_(host_buffer(options.state0.size())),
      steps_(options.members.size()),
      states_(options.members.size()) {
  std::ranges::copy(options.state0.last(statistics_.size()), statistics_.view().begin());
  const std::vector<Route>& routes = options.placement.routes;
  for (std::size_t i = 0; i < options.members.size(); ++i) {
    const Member& member = options.members[i];
    const LetterBuffer::Options letters{.route = i < routes.size() ? routes[i] : Route::host,
                                        .parameters = parameters_,
                                        .statistics = statistics_.size(),
                                        .sends_change = algorithm_.sends_change};
    seats_.push_back({.mailbox = member.mailbox,
                      .telemetry = member.telemetry,
                      .buffer = LetterBuffer(letters, store_->replica_of(i), *member.mailbox)});
  }
  if (checkpoints_.resumed) go_on(*checkpoints_.resumed);
}

CenterView Master::view(std::size_t replica) const {
  CenterView result{
      .version = version_, .steps = steps_, .train = train_, .seconds = order_->seconds()};
  if (has_ended_) {
    const ConstView last = last_;
    result.center = last.first(parameters_);
    result.statistics = last.subspan(parameters_);
  } else {
    const CenterReplica& shown = store_->replicas()[replica];
    result.center = shown.rule->evaluation_vector(shown.center);
    result.backend = shown.backend.get();
    result.statistics = statistics_;
  }
  return result;
}

void Master::run(std::stop_token stop) {
  try {
    for (Seat& seat : seats_) seat.buffer.open(*seat.mailbox);
    serve(stop);
    for (const Seat& seat : seats_) check_letters(seat);
    copy_to_host(0);
  } catch (...) {
    on_failure_();
    store_->give_up();
    for (Seat& seat : seats_) seat.mailbox->close();
    salvage();
    release();
    throw;
  }
  release_devices();
}

void Master::release() {
  wait_until_all_have_left();
  release_devices();
}

/// The thread that made what is on the devices gives it back. Members that have left use none of
/// it.
void Master::release_devices() {
  seats_.clear();
  store_.reset();
}

/// Leaves the center in host memory, for whoever comes after the master.
void Master::copy_to_host(std::size_t replica) {
  view(replica).copy_to(last_);
  has_ended_ = true;
}

/// After a failure: the center from the first device that still answers. Else zeros.
void Master::salvage() {
  for (std::size_t i = 0; i < store_->replicas().size() && !has_ended_; ++i) {
    try {
      copy_to_host(i);
    } catch (const std::exception&) {  // the failure that brought us here, once more
    }
  }
  if (has_ended_) return;
  std::ranges::fill(last_.view(), 0.0f);
  has_ended_ = lost_ = true;
}

void Master::serve(const std::stop_token& stop) {
  while (true) {
    const int rings = bell_.rings();
    const bool all_have_left = have_all_left();
    heed(stop);
    round_.clear();
    order_->next(states_, round_);
    for (const int worker : round_) {
      const Mailbox::State state = states_[std::size_t(worker)];
      EASGD_CHECK(state == Mailbox::State::posted, "worker {} to be served while {}, at version {}",
                  worker, to_string(state), version_);
    }
    if (!round_.empty() && stop.stop_requested() && is_incomplete()) {
      turn_away(round_);
    } else if (!round_.empty()) {
      absorb(round_);
    } else if (all_have_left) {
      if (!has_stopped_) begin_last_checkpoint();
      return;
    } else {
      bell_.wait(rings);
    }
  }
}

/// Of the member whose seat it is now. One that comes after the master has failed finds it closed.
Mailbox::State Master::look_at(Seat& seat) {
  Mailbox::State state = seat.mailbox->state();
  while (state == Mailbox::State::left || state == Mailbox::State::abandoned) {
    const Member* heir = seat.mailbox->heir();
    if (!heir) return Mailbox::State::left;
    if (!has_ended_) check_letters(seat);
    seat.mailbox = heir->mailbox;
    seat.telemetry = heir->telemetry;
    seat.earlier = seat.telemetry->exchanges + seat.telemetry->refused + seat.turned_away;
    if (has_ended_) seat.mailbox->close();
    state = seat.mailbox->state();
  }
  return state;
}

/// Looks at every mailbox.
bool Master::have_all_left() {
  std::ranges::transform(seats_, states_.begin(), [this](Seat& seat) { return look_at(seat); });
  return std::ranges::count(states_, Mailbox::State::left) == std::ssize(states_);
}

void Master::wait_until_all_have_left() {
  while (true) {
    const int rings = bell_.rings();
    if (have_all_left()) return;
    bell_.wait(rings);
  }
}

bool Master::is_incomplete() const {
  return order_->all_or_none() && std::ranges::count(states_, Mailbox::State::left) > 0;
}

void Master::turn_away(std::span<const int> round) {
  for (const int worker : round) {
    Seat& seat = seats_[std::size_t(worker)];
    if (seat.mailbox->note_to_read().visit == Visit::letter) ++seat.turned_away;
    answer(seat, Mailbox::Reply::closed);
  }
}

void Master::absorb(std::span<const int> round) {
  EASGD_CHECK(std::this_thread::get_id() == owner_, "another thread, at version {}", version_);
  const TraceScope trace("absorb");
  for (const int worker : round) absorbed_.push_back(std::uint16_t(worker));
  fetch_letters(round);
  if (accepted_.empty()) return;
  store_->absorb(letters_);
  absorb_statistics(policy_, letter_statistics_, workers_, statistics_);
  for (const int worker : accepted_) note_exchange(std::size_t(worker));
  const bool holds_reply = algorithm_.replies && algorithm_.timing != Timing::around;
  for (const int worker : accepted_) {
    if (holds_reply) seats_[std::size_t(worker)].buffer.deliver_reply();
  }
  store_->finish();
  for (const int worker : accepted_) {
    answer(seats_[std::size_t(worker)],
           holds_reply ? Mailbox::Reply::values : Mailbox::Reply::none);
  }
  if (on_version_ && on_version_(view())) train_ = {};
}

void Master::answer(Seat& seat, Mailbox::Reply kind) {
  seat.mailbox->answer(kind, std::exchange(seat.mark, 0));
}

/// Gives the center to who has come for it, brings the letters of a round to the center, and
/// refuses those that are not finite or too far away.
void Master::fetch_letters(std::span<const int> round) {
  fetched_.clear();
  buffers_.clear();
  for (const int worker : round) {
    Seat& seat = seats_[std::size_t(worker)];
    const Visit visit = seat.mailbox->note_to_read().visit;
    if (visit == Visit::pull) {
      answer_pull(seat);
    } else if (visit == Visit::begin) {
      begin_again(seat);
    } else {
      seat.has_pulled = false;
      fetched_.push_back(worker);
      buffers_.push_back(&seat.buffer);
    }
  }
  squared_.resize(buffers_.size());
  store_->fetch(buffers_, squared_);
  accepted_.clear();
  letters_.clear();
  letter_statistics_.clear();
  for (std::size_t i = 0; i < fetched_.size(); ++i) {
    const auto worker = std::size_t(fetched_[i]);
    Seat& seat = seats_[worker];
    const ConstView statistics = seat.buffer.statistics();
    const double of_statistics =
        kernels::squared_distance(statistics.data(), nullptr, statistics.size());
    if (order_->refuses() ||
        !(squared_[i] < kFarthest * kFarthest && of_statistics < kFarthest * kFarthest)) {
      refuse(seat);
      continue;
    }
    seat.telemetry->distance = std::sqrt(squared_[i]);
    letters_.push_back({.values = seat.buffer.letter(),
                        .reply = seat.buffer.reply(),
                        .rates = seat.mailbox->note_to_read().rates,
                        .worker = worker,
                        .age = version_ + letters_.size() - seat.last_version});
    accepted_.push_back(fetched_[i]);
    letter_statistics_.push_back(statistics);
  }
}

void Master::answer_pull(Seat& seat) {
  const CenterReplica& replica = seat.buffer.replica();
  const ConstView pulled = replica.rule->vector_to_pull(replica.center);
  replica.backend->run(kernels::Copy{seat.buffer.reply().data(), pulled.data()}, parameters_);
  seat.buffer.deliver_reply();
  replica.backend->finish();
  seat.has_pulled = true;
  answer(seat, Mailbox::Reply::values);
}

/// Where an exchange is a pull and a letter, this visit stands for either. The one that stands for
/// a pull brings nothing yet.
void Master::begin_again(Seat& seat) {
  const std::size_t worker = seat.mailbox->worker();
  const std::uint64_t step = seat.mailbox->note_to_read().clock;
  seat.buffer.open(*seat.mailbox);
  order_->begin_again(worker, step);
  note_incident(seat, Incident::Kind::began);
  seat.has_pulled = algorithm_.timing == Timing::around && !seat.has_pulled;
  if (seat.has_pulled) return answer(seat, Mailbox::Reply::none);
  seat.last_version = version_;
  ++beginnings_;
  on_begin_({worker, step, version_});
  send_center(seat);
}

/// Of the visit that is being served.
void Master::note_incident(const Seat& seat, Incident::Kind kind) {
  incidents_.push_back({.at = absorbed_.size() - 1,
                        .worker = seat.mailbox->worker(),
                        .kind = kind,
                        .clock = seat.mailbox->note_to_read().clock});
}

/// The letter leaves the center as it is, and its worker starts again from there.
void Master::refuse(Seat& seat) {
  ++seat.telemetry->refused;
  note_incident(seat, Incident::Kind::refused);
  note_loss(seat, std::numeric_limits<double>::quiet_NaN());
  send_center(seat);
}

/// To start again from.
void Master::send_center(Seat& seat) {
  const CenterReplica& replica = seat.buffer.replica();
  replica.backend->run(kernels::Copy{seat.buffer.reply().data(), replica.center.data()},
                       parameters_);
  seat.buffer.deliver_reply();
  replica.backend->upload(statistics_, seat.mailbox->reply_to_write().subspan(parameters_));
  replica.backend->finish();
  answer(seat, Mailbox::Reply::restart);
}

void Master::note_exchange(std::size_t worker) {
  Seat& seat = seats_[worker];
  const LetterNote& note = seat.mailbox->note_to_read();
  EASGD_CHECK(note.clock >= steps_[worker], "worker {}: step {} after {}, at version {}", worker,
              note.clock, steps_[worker], version_);
  steps_[worker] = note.clock;
  if (std::isfinite(note.tally.loss)) train_ += note.tally;
  if (note.tally.samples > 0) {
    seat.telemetry->loss = note.tally.mean_loss();
    note_loss(seat, seat.telemetry->loss);
  }
  seat.telemetry->staleness = version_ - seat.last_version;
  ++seat.telemetry->exchanges;
  seat.telemetry->absorbed = note.clock;
  seat.last_version = ++version_;
}

void Master::note_loss(const Seat& seat, double loss) {
  const bool is_lost = on_loss_ && on_loss_(loss, version_);
  if (is_lost && checkpoints_.deposits) checkpoints_.deposits->spoil(seat.mailbox->worker());
}

/// Once a member has left, no letter is on its way. One that was given up may still count letters
/// that nobody sees.
void Master::check_letters(const Seat& seat) const {
  if (seat.mailbox->state() == Mailbox::State::abandoned) return;
  const std::uint64_t sent = seat.mailbox->letters(), absorbed = seat.telemetry->exchanges,
                      refused = seat.telemetry->refused, earlier = seat.earlier;
  EASGD_CHECK(earlier + sent == absorbed + refused + seat.turned_away,
              "worker {}: {} sent, {} absorbed, {} refused, {} turned away, at version {}",
              seat.mailbox->worker(), earlier + sent, absorbed, refused, seat.turned_away,
              version_);
}

}  // namespace easgd
