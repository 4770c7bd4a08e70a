#include "exchange/virtual_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "kernels/philox.h"

namespace easgd {
namespace {

using Mail = Mailbox::State;

constexpr double kNever = std::numeric_limits<double>::infinity();

class VirtualOrder final : public OrderPolicy {
 public:
  VirtualOrder(const WorkerSchedule& schedule, const Algorithm& algorithm, std::size_t workers,
               const VirtualTimes& times, bool synchronous)
      : schedule_(schedule),
        algorithm_(algorithm),
        times_(times),
        synchronous_(synchronous),
        visits_(workers) {
    for (std::size_t worker = 0; worker < workers; ++worker) meet(worker, 0, 0);
  }

  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    double due = synchronous_ ? 0 : kNever;  // the last arrival of a round, or the first of all
    for (std::size_t worker = 0; worker < mailboxes.size(); ++worker) {
      if (mailboxes[worker] == Mail::left) continue;
      if (visits_[worker].sent == kNever) {
        check_has_ended(worker, mailboxes[worker]);
        continue;
      }
      const double arrival = visits_[worker].sent + times_.transfer_seconds;
      if (synchronous_) {
        round.push_back(int(worker));
        due = std::max(due, arrival);
      } else if (arrival < due) {
        round.assign(1, int(worker));
        due = arrival;
      }
    }
    const auto is_there = [&](int w) { return mailboxes[std::size_t(w)] == Mail::posted; };
    if (!std::ranges::all_of(round, is_there)) return round.clear();
    if (round.empty()) return;
    now_ = std::max(now_, due);
    for (const int worker : round) go_on(std::size_t(worker));
  }

  /// Its next visit comes as soon as the center is there.
  void begin_again(std::size_t worker, std::uint64_t clock) override {
    meet(worker, now_ + times_.transfer_seconds, clock);
  }

  bool all_or_none() const override { return synchronous_; }
  std::optional<double> seconds() const override { return now_; }

  void describe(State& state) override {
    state.number("now", now_);
    for (std::size_t worker = 0; worker < visits_.size(); ++worker) {
      Visit& visit = visits_[worker];
      state.number(fmt::format("sent {}", worker), visit.sent);
      state.counter(fmt::format("clock {}", worker), visit.clock);
      state.flag(fmt::format("pushes {}", worker), visit.pushes);
    }
  }

  void check(std::span<const std::uint16_t>) const override {
    check_time("now", now_);
    for (std::size_t worker = 0; worker < visits_.size(); ++worker) {
      const Visit& visit = visits_[worker];
      const bool has_ended = visit.sent == kNever && visit.clock >= schedule_.steps(worker);
      if (!has_ended) check_time(fmt::format("sent {}", worker), visit.sent);
    }
  }

 private:
  /// A worker's next letter or pull.
  struct Visit {
    double sent = 0;          ///< virtual time; kNever: the last letter has been served
    std::uint64_t clock = 0;  ///< of the worker
    bool pushes = false;      ///< after the step of `clock`, not before it
  };

  /// Throws: DataError if it comes again, for whom nobody would wait: a checkpoint had it so.
  static void check_has_ended(std::size_t worker, Mail mailbox) {
    if (mailbox != Mail::posted) return;
    throw DataError(
        fmt::format("worker {} has come after its last letter in virtual time", worker));
  }

  static void check_time(const std::string& name, double seconds) {
    if (std::isfinite(seconds)) return;
    throw DataError(fmt::format("\"{}\": expected a time, found {}", name, seconds));
  }

  double step_seconds(std::size_t worker, std::uint64_t clock) const {
    const kernels::Random random{times_.seed, kernels::Stream::virtual_time, std::uint32_t(worker)};
    return times_.step_seconds *
           (1 + times_.jitter * (2 * double(random.at(clock, 0).uniform(0)) - 1));
  }

  /// From `clock` at `time` to the next exchange, which is at `exchange` or at the end.
  void walk(std::size_t worker, double time, std::uint64_t clock, std::uint64_t exchange) {
    const std::uint64_t end = std::min(exchange, schedule_.steps(worker));
    for (; clock < end; ++clock) time += step_seconds(worker, clock);
    if (clock == exchange && clock < schedule_.steps(worker)) return meet(worker, time, clock);
    visits_[worker] = {time, schedule_.steps(worker), false};  // it leaves then, or has failed
  }

  void meet(std::size_t worker, double time, std::uint64_t clock) {
    visits_[worker] = {time, clock, false};
  }

  /// The worker's way from a visit that is served now to its next.
  void go_on(std::size_t worker) {
    Visit& visit = visits_[worker];
    const std::uint64_t clock = visit.clock;
    if (clock >= schedule_.steps(worker)) {  // the last letter
      visit.sent = kNever;
      return;
    }
    const std::uint64_t exchange = clock + schedule_.tau(clock);
    const double reply = now_ + times_.transfer_seconds, step = step_seconds(worker, clock);
    if (visit.pushes) return walk(worker, visit.sent, clock + 1, exchange);
    switch (algorithm_.timing) {
      case Timing::before:
        return walk(worker, reply, clock, exchange);
      case Timing::around:
        visit = {reply + step, clock, true};
        return;
      case Timing::overlapped:
        break;
    }
    const double done = visit.sent + step;
    walk(worker, algorithm_.replies ? std::max(done, reply) : done, clock + 1, exchange);
  }

  const WorkerSchedule& schedule_;
  const Algorithm& algorithm_;
  VirtualTimes times_;
  bool synchronous_;
  std::vector<Visit> visits_;
  double now_ = 0;
};

}  // namespace

std::unique_ptr<OrderPolicy> virtual_order(const WorkerSchedule& schedule,
                                           const Algorithm& algorithm, std::size_t workers,
                                           const VirtualTimes& times, bool synchronous) {
  return std::make_unique<VirtualOrder>(schedule, algorithm, workers, times, synchronous);
}

}  // namespace easgd
