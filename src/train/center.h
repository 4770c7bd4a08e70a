// The master: alone writes the center variable, absorbs letters in the order of its policy,
// answers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "algorithms/algorithm.h"
#include "train/mailbox.h"
#include "train/order.h"
#include "train/statistics.h"
#include "train/telemetry.h"

namespace easgd {

/// The center at a version, for those who want to copy it.
struct CenterView {
  ConstView center;                      ///< [P] as it is evaluated
  ConstView statistics;                  ///< [S]
  std::uint64_t version = 0;             ///< letters absorbed
  std::span<const std::uint64_t> steps;  ///< of each worker, when its last letter was posted
  Tally train;                           ///< training loss of all letters absorbed so far
  std::optional<double> seconds = {};    ///< virtual time, where the order keeps one
};

/// Thread: run() is the master's; the rest is for after it.
class Center {
 public:
  /// `state0` [P + S]: where it starts, of which `statistics` says how much the algorithm moves.
  Center(ConstView state0, const Statistics& statistics, const Algorithm& algorithm,
         const CenterOptions& options, std::unique_ptr<OrderPolicy> order,
         std::vector<Mailbox*> mailboxes, std::vector<WorkerTelemetry*> telemetry, Bell& bell);

  /// Called by the master between rounds, after each that changed the center; may copy; in
  /// virtual time it may wait, else it must not.
  std::function<void(const CenterView&)> on_version;

  /// Absorbs until every worker has left. After `stop` a synchronous round that some have left is not
  /// absorbed. On an exception closes every mailbox and throws it.
  void run(std::stop_token stop);

  CenterView view() const {
    return {rule_->evaluated(center_), statistics_, version_, steps_, train_, order_->seconds()};
  }
  /// The order in which letters were absorbed or refused, and pulls answered.
  const std::vector<std::uint16_t>& order() const { return absorbed_; }

 private:
  void serve(const std::stop_token& stop);
  bool is_torn() const;
  void absorb(std::span<const int> round);
  bool refuse_if_not_finite(int worker);
  void answer_pull(int worker);
  void note_exchange(int worker);

  const Algorithm& algorithm_;
  Buffer state_;
  View center_;      // [P], the head of the state
  View statistics_;  // [S], its tail
  const StatisticsPolicy policy_;
  std::unique_ptr<CenterRule> rule_;
  std::unique_ptr<OrderPolicy> order_;
  std::vector<Mailbox*> mailboxes_;
  std::vector<WorkerTelemetry*> telemetry_;
  Bell& bell_;

  std::uint64_t version_ = 0;
  std::vector<std::uint64_t> steps_;
  std::vector<std::uint64_t> last_version_;  // at each worker's last exchange
  Tally train_;
  std::vector<std::uint16_t> absorbed_;

  // Scratch of one round.
  std::vector<Mailbox::State> states_;
  std::vector<int> round_;
  std::vector<int> accepted_;
  std::vector<Letter> letters_;
  std::vector<ConstView> letter_statistics_;
};

}  // namespace easgd
