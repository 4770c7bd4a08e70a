// The master: alone writes the center variable, absorbs letters in the order of its policy, and
// answers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "algorithms/algorithm.h"
#include "algorithms/statistics_policy.h"
#include "exchange/center_placement.h"
#include "exchange/center_view.h"
#include "exchange/deposits.h"
#include "exchange/mailbox.h"
#include "exchange/order.h"
#include "exchange/telemetry.h"

namespace easgd {

/// Who sends letters to a master, until it has left or was given up. Then its heir does.
struct Member {
  Mailbox* mailbox = nullptr;
  WorkerTelemetry* telemetry = nullptr;
};

/// A worker that had failed goes on from the center.
struct Beginning {
  std::size_t worker = 0;
  std::uint64_t step = 0;     ///< with which it goes on
  std::uint64_t version = 0;  ///< of the center that it was given
};

/// When a master makes checkpoints, beside the one that a stop asks for, and what goes into them.
struct Checkpoints {
  Deposits* deposits = nullptr;  ///< null: none is made
  /// Asked once a version, between two rounds.
  std::function<bool(const CenterView&)> is_due = {};
  /// Asked once a version, between two rounds, also at the first: a stop was requested, and the
  /// last checkpoint is to be of this version.
  std::function<bool(const CenterView&)> pauses = {};
  /// Whether nobody is to wait for a letter of that worker: a checkpoint has it begin again then.
  std::function<bool(std::size_t worker)> is_still = {};
  /// Adds sections of its own, at the checkpoint's version.
  std::function<void(Checkpoint&, const CenterView&)> add = {};
  const Checkpoint* resumed = nullptr;  ///< that the run goes on from; null: from its beginning
};

struct MasterOptions {
  const Algorithm& algorithm;
  RuleOptions rules;  ///< averages are of rules.workers
  CenterPlacement placement;
  ConstView state0;  ///< [P + S]: where the center starts, in host memory
  Statistics statistics;
  std::unique_ptr<OrderPolicy> order;
  std::vector<Member> members;
  /// Called once if the master fails, before it waits for its members to leave.
  std::function<void()> on_failure = [] {};
  /// Called by the master when a worker has been given the center to begin again from.
  std::function<void(const Beginning&)> on_begin = [](const Beginning&) {};
  /// Called by the master for each letter that has training loss, or was refused: its mean loss,
  /// or not a number. Returns whether the training loss is lost by it: no checkpoint has that
  /// letter then.
  std::function<bool(double loss, std::uint64_t version)> on_loss = {};
  /// Called by the master between rounds, after each that changed the center; may copy. In virtual
  /// time it may wait, else it must not. Returns whether it took the view: the training loss then
  /// begins anew, because a difference of sums would lose all digits after one loss of 1e38.
  std::function<bool(const CenterView&)> on_version;
  Checkpoints checkpoints = {};
};

/// Thread: the master's, which makes it and runs it, and gives back what its devices have of the
/// center; after that anybody's.
class Master {
 public:
  /// Mailboxes get memory of the center's device if that is their route.
  Master(MasterOptions options, Bell& bell);

  /// Absorbs until every member has left. After `stop` a synchronous round that some have left is
  /// not absorbed. Whoever was given up counts as one who has left. On an exception it closes every
  /// mailbox, copies the center to host memory, and throws the exception once all have left.
  void run(std::stop_token stop);
  /// Instead of run(), if there is nothing to run: waits until every member has left.
  void release();

  CenterView view() const { return view(0); }
  /// After run(): every device failed before the center could be copied. view() then shows zeros.
  bool is_lost() const { return lost_; }
  /// The order in which letters were absorbed or refused, and pulls answered.
  const std::vector<std::uint16_t>& order() const { return absorbed_; }
  /// What befell workers meanwhile, but for who was gone.
  const std::vector<Incident>& incidents() const { return incidents_; }
  /// How often a worker was given the center to begin again from.
  std::uint64_t beginnings() const { return beginnings_; }

 private:
  /// What the master knows of a member.
  struct Seat {
    Mailbox* mailbox;
    WorkerTelemetry* telemetry;
    LetterBuffer buffer;
    bool has_pulled = false;         ///< and not sent the letter that follows a pull
    std::uint64_t last_version = 0;  ///< of the center, at its last exchange
    std::uint64_t turned_away = 0;   ///< letters of rounds that a stop left incomplete
    std::uint64_t earlier = 0;  ///< letters of before the run was resumed, and of earlier members
    std::uint64_t mark = 0;     ///< of the checkpoint that its next letter is the first one after
  };

  CenterView view(std::size_t replica) const;
  void go_on(const Checkpoint& from);
  void load_counts(const SavedState& center);
  void heed(const std::stop_token& stop);
  bool pauses();
  void begin_last_checkpoint();
  void pass_over_the_still();
  void begin_checkpoint(Checkpoint checkpoint);
  void save_counts(SavedState& center) const;
  void answer(Seat& seat, Mailbox::Reply kind);
  void serve(const std::stop_token& stop);
  bool is_incomplete() const;
  void turn_away(std::span<const int> round);
  void absorb(std::span<const int> round);
  void fetch_letters(std::span<const int> round);
  void answer_pull(Seat& seat);
  void refuse(Seat& seat);
  void begin_again(Seat& seat);
  void send_center(Seat& seat);
  void note_incident(const Seat& seat, Incident::Kind kind);
  void note_exchange(std::size_t worker);
  void note_loss(const Seat& seat, double loss);
  Mailbox::State look_at(Seat& seat);
  bool have_all_left();
  void wait_until_all_have_left();
  void check_letters(const Seat& seat) const;
  void copy_to_host(std::size_t replica);
  void salvage();
  void release_devices();

  const Algorithm& algorithm_;
  const std::size_t parameters_;  // P
  const std::size_t workers_;
  const StatisticsPolicy policy_;
  const std::thread::id owner_ = std::this_thread::get_id();
  std::unique_ptr<OrderPolicy> order_;
  std::function<void()> on_failure_;
  std::function<void(const Beginning&)> on_begin_;
  std::function<bool(double, std::uint64_t)> on_loss_;
  std::function<bool(const CenterView&)> on_version_;
  const Checkpoints checkpoints_;
  Bell& bell_;

  std::unique_ptr<CenterStore> store_;
  Buffer statistics_;  // [S] in host memory
  std::vector<Seat> seats_;
  Buffer last_;  // [P + S] in host memory: what is left when run() has ended; made while it can be
  bool has_ended_ = false;
  bool lost_ = false;

  std::uint64_t version_ = 0;
  std::vector<std::uint64_t> steps_;
  Tally train_;  // of the letters since a view was taken
  std::vector<std::uint16_t> absorbed_;
  std::vector<Incident> incidents_;
  std::uint64_t beginnings_ = 0;
  std::uint64_t asked_ = 0;  // version at which it was asked last whether a checkpoint is due
  std::optional<std::uint64_t> asked_to_pause_;  // version
  bool has_stopped_ = false;

  // Scratch of one round.
  std::vector<Mailbox::State> states_;
  std::vector<int> round_;
  std::vector<int> fetched_, accepted_;
  std::vector<LetterBuffer*> buffers_;
  std::vector<double> squared_;
  std::vector<Letter> letters_;
  std::vector<ConstView> letter_statistics_;
};

}  // namespace easgd
