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
#include "algorithms/statistics_policy.h"
#include "backend/collective.h"
#include "exchange/mailbox.h"
#include "exchange/order.h"
#include "exchange/telemetry.h"

namespace easgd {

/// Which way letters and replies go between a worker and the center.
enum class Route {
  host,    ///< both are in host memory, as the center is
  peer,    ///< both are in the memory of the center's device, and the worker's copies there
  staged,  ///< both are in host memory, from where the master copies to the center's device
};

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

/// In host memory.
std::unique_ptr<Backend> host_place();

/// Where the center is: in one place, or, where rounds are synchronous, on the device of every
/// worker. The copies are the same, because each absorbs the same sum of letters.
struct CenterPlace {
  std::string name = "pinned";  ///< in a configuration
  /// Make the backends that have its vectors, on the master's thread: one, or one for each worker.
  std::vector<MakeBackend> sites = {host_place};
  std::vector<Route> routes = {};  ///< of each worker; empty: host
  int threads = 1;                 ///< of the host, in each site that is in its memory
  std::string remark = {};         ///< what people should know of the choice, or nothing
  /// Adds up over the sites, where there are several.
  MakeCollective collective = {};
};

/// The center at a version, for those who want to copy it.
struct CenterView {
  ConstView center = {};                 ///< [P] as it is evaluated, with the backend `place`
  Backend* place = nullptr;              ///< null: in host memory
  ConstView statistics = {};             ///< [S] in host memory
  std::uint64_t version = 0;             ///< letters absorbed
  std::span<const std::uint64_t> steps;  ///< of each worker, when its last letter was posted
  Tally train;                           ///< training loss of the letters since a view was taken
  std::optional<double> seconds = {};    ///< virtual time, where the order keeps one

  /// state [P + S] in host memory
  void copy_to(View state) const;
};

/// Thread: the master's, until run() has ended; then anybody's.
class Center {
 public:
  /// `state0` [P + S]: where it starts, of which `statistics` says how much the algorithm moves.
  /// Mailboxes get memory of the center's device where that is their route.
  Center(const CenterPlace& place, ConstView state0, const Statistics& statistics,
         const Algorithm& algorithm, const CenterOptions& options,
         std::unique_ptr<OrderPolicy> order, std::vector<Mailbox*> mailboxes,
         std::vector<WorkerTelemetry*> telemetry, Bell& bell);

  /// Called by the master between rounds, after each that changed the center; may copy; in
  /// virtual time it may wait, else it must not. Says whether it took the view: the training loss
  /// then begins anew, for a difference of sums would lose all digits after one loss of 1e38.
  std::function<bool(const CenterView&)> on_version;

  /// Absorbs until every worker has left. After `stop` a synchronous round that some have left is
  /// not absorbed. On an exception closes every mailbox and throws it.
  void run(std::stop_token stop);

  CenterView view() const { return view(0); }
  /// After run(): its device has failed, and what is left to view is zeros.
  bool lost() const { return lost_; }
  /// The order in which letters were absorbed or refused, and pulls answered.
  const std::vector<std::uint16_t>& order() const { return absorbed_; }

 private:
  /// A copy of the center, and what the algorithm keeps beside it.
  struct Site {
    std::unique_ptr<Backend> place;
    Buffer center;  ///< [P]
    Buffer sum;     ///< [P] of a round, where there are several sites
    std::unique_ptr<CenterRule> rule;
  };

  /// A worker's letter and reply [P] where the center is, and its statistics [S] in host memory.
  struct Desk {
    Route route = Route::host;
    Site* site = nullptr;
    Buffer lent;  ///< to the mailbox, or to copy to and from it
    View letter, reply;
    Buffer statistics;
  };

  CenterView view(std::size_t site) const;
  void make_sites(const CenterPlace& place, const CenterOptions& options, ConstView center0);
  void make_desks(const std::vector<Route>& routes);
  void serve(const std::stop_token& stop);
  void bring_home(std::size_t site);
  void leave_sites();
  bool rescue();
  bool is_torn() const;
  void take_in(int worker);
  void send_out(std::size_t worker);
  void absorb(std::span<const int> round);
  void absorb_accepted();
  void absorb_sum();
  void finish();
  bool refuse_if_not_finite(int worker);
  void answer_pull(int worker);
  void note_exchange(int worker);

  const Algorithm& algorithm_;
  const std::size_t parameters_;  // P
  std::vector<Site> sites_;
  std::unique_ptr<Collective> collective_;  // of several sites
  Buffer statistics_;                       // [S] in host memory
  Buffer last_;  // [P + S] in host memory: what is left when run() has ended
  bool lost_ = false;
  const StatisticsPolicy policy_;
  std::unique_ptr<OrderPolicy> order_;
  std::vector<Mailbox*> mailboxes_;
  std::vector<WorkerTelemetry*> telemetry_;
  std::vector<Desk> desks_;
  Bell& bell_;

  std::uint64_t version_ = 0;
  std::vector<std::uint64_t> steps_;
  std::vector<std::uint64_t> last_version_;  // at each worker's last exchange
  Tally train_;                              // of the letters since a view was taken
  std::vector<std::uint16_t> absorbed_;

  // Scratch of one round.
  std::vector<Mailbox::State> states_;
  std::vector<int> round_;
  std::vector<int> accepted_;
  std::vector<Letter> letters_;
  std::vector<ConstView> letter_statistics_;
  std::vector<ConstView> terms_;  // of each site
  std::vector<View> sums_;
};

}  // namespace easgd
