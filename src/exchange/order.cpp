#include "exchange/order.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace easgd {
namespace {

using Mail = Mailbox::State;

class FreeOrder final : public OrderPolicy {
 public:
  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    for (std::size_t k = 0; k < mailboxes.size(); ++k) {
      const std::size_t worker = (start_ + k) % mailboxes.size();
      if (mailboxes[worker] == Mail::posted) {
        round.push_back(int(worker));
        start_ = worker + 1;
        return;
      }
    }
  }

  void describe(State& state) override { state.counter("start", start_); }

 private:
  std::uint64_t start_ = 0;
};

class RoundRobinOrder final : public OrderPolicy {
 public:
  explicit RoundRobinOrder(std::uint64_t visits) : visits_(visits) {}

  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    for (std::size_t k = 0; k < mailboxes.size(); ++k) {
      const std::size_t worker = turn_ % mailboxes.size();
      if (mailboxes[worker] == Mail::posted) {
        round.push_back(int(worker));
        if (++visit_ == visits_) pass_turn();
        return;
      }
      if (mailboxes[worker] != Mail::left) return;
      pass_turn();
    }
  }

  void describe(State& state) override {
    state.counter("turn", turn_);
    state.counter("visit", visit_);
  }

 private:
  void pass_turn() {
    ++turn_;
    visit_ = 0;
  }

  std::uint64_t visits_, visit_ = 0, turn_ = 0;
};

class SynchronousOrder final : public OrderPolicy {
 public:
  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    for (std::size_t worker = 0; worker < mailboxes.size(); ++worker) {
      if (mailboxes[worker] == Mail::left) continue;
      if (mailboxes[worker] != Mail::posted) {
        round.clear();
        return;
      }
      round.push_back(int(worker));
    }
  }

  bool all_or_none() const override { return true; }
};

class ReplayOrder final : public OrderPolicy {
 public:
  explicit ReplayOrder(Recording recording) : recording_(std::move(recording)) {}

  void next(std::span<const Mail> mailboxes, std::vector<int>& round) override {
    if (stopped_) return free_.next(mailboxes, round);
    if (done_ == recording_.letters.size()) return expect_no_more(mailboxes);
    const int worker = recording_.letters[done_];
    if (mailboxes[std::size_t(worker)] == Mail::left) {
      throw DataError(fmt::format(
          "center.replay: letter {} is worker {}'s, which has ended; was it another configuration?",
          done_, worker));
    }
    if (mailboxes[std::size_t(worker)] != Mail::posted) return;
    round.push_back(worker);
    ++done_;
  }

  bool refuses() const override {
    return !stopped_ && recording_.find(Incident::Kind::refused, done_ - 1) != nullptr;
  }

  void stop() override { stopped_ = true; }

  void describe(State& state) override {
    state.counter("done", done_);
    free_.describe(state);
  }

  void check(std::span<const std::uint16_t> visits) const override {
    const auto& letters = recording_.letters;
    if (done_ == visits.size() && done_ <= letters.size() &&
        std::equal(visits.begin(), visits.end(), letters.begin())) {
      return;
    }
    throw DataError(
        "center.replay: the recording does not begin as the run did that is to go on; was it "
        "replaced by another?");
  }

 private:
  void expect_no_more(std::span<const Mail> mailboxes) const {
    if (std::ranges::count(mailboxes, Mail::posted) == 0) return;
    throw DataError(fmt::format(
        "center.replay: the recording ends after {} letters, but there are more; was it another "
        "configuration?",
        done_));
  }

  Recording recording_;
  bool stopped_ = false;
  FreeOrder free_;
  std::uint64_t done_ = 0;
};

}  // namespace

std::unique_ptr<OrderPolicy> free_order() {
  return std::make_unique<FreeOrder>();
}
std::unique_ptr<OrderPolicy> round_robin_order() {
  return std::make_unique<RoundRobinOrder>(1);
}
std::unique_ptr<OrderPolicy> round_robin_pairs() {
  return std::make_unique<RoundRobinOrder>(2);
}
std::unique_ptr<OrderPolicy> synchronous_order() {
  return std::make_unique<SynchronousOrder>();
}
std::unique_ptr<OrderPolicy> replay_order(Recording recording) {
  return std::make_unique<ReplayOrder>(std::move(recording));
}

}  // namespace easgd
