// An algorithm is two rules: what a worker does with its replica, and what the master does with a
// letter. One file each in this folder, formula and source at its top; nothing outside knows them
// by name.
//
//   x  local variable      c  center variable      g  gradient
//   v  momentum            y  point of the gradient (look-ahead)
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "backend/backend.h"
#include "base/check.h"
#include "base/registry.h"
#include "base/state.h"
#include "base/view.h"
#include "config/fields.h"

namespace easgd {

/// The settings of one step, after their schedules.
struct Rates {
  float learning_rate = 0;  ///< eta
  float momentum = 0;       ///< delta
  float weight_decay = 0;
  float alpha = 0;  ///< moving rate of an exchange, or of an average
  float rho = 0;    ///< elastic penalty, which no schedule changes
};

/// A worker's side. Belongs to the worker's thread; its vectors are on the worker's device.
class WorkerRule {
 public:
  virtual ~WorkerRule() = default;
  /// Where the next gradient is taken [P].
  virtual ConstView gradient_point() const = 0;
  /// What the next letter carries [P]: it is copied before the step changes it.
  virtual ConstView letter() const = 0;
  /// The reply [P] to a letter or a pull that came before the gradient (Timing::before, around).
  virtual void receive(ConstView /*reply*/, const Rates&) {}
  /// One local step with gradient g [P]. `reply` [P] is that of this step's exchange if
  /// the timing is overlapped, the pulled one if it is around, else empty.
  virtual void step(ConstView g, ConstView reply, const Rates& rates) = 0;
  /// Starts again from the center [P], with no memory of the past.
  virtual void restart(ConstView center) = 0;
  /// What it keeps between two steps.
  virtual void describe(State& state) = 0;
};

/// One letter as the master sees it, where the center is.
struct Letter {
  ConstView values;  ///< [P]
  View reply;        ///< [P] to be written
  Rates rates = {};  ///< of the worker's clock
  std::size_t worker = 0;
  /// Its staleness: the letters of others that the center has absorbed since this worker's last.
  std::uint64_t age = 0;
};

/// Letters that meet the same center. An asynchronous exchange is a round of one.
struct Round {
  explicit Round(std::span<const Letter> all)
      : letters(all), size(all.size()), rates(all.back().rates) {}
  /// As it is seen on one of several devices that have the center.
  Round(std::span<const Letter> here, std::size_t everywhere, const Rates& r, ConstView added)
      : letters(here), size(everywhere), rates(r), sum(added) {}

  std::span<const Letter> letters;  ///< whose replies are written here
  std::size_t size;                 ///< of the whole round
  Rates rates;                      ///< of the last letter
  ConstView sum = {};  ///< [P] of all letters' summands, if they are on several devices
};

/// The master's side. Belongs to the master's thread; its vectors are where the center is.
class CenterRule {
 public:
  virtual ~CenterRule() = default;
  /// Absorbs the letters of a round against the same center [P] and writes their replies.
  virtual void absorb(const Round& round, View center) = 0;
  /// What is added up [P] of a letter that is not where all others are. May write its reply.
  virtual ConstView summand(const Letter& letter, ConstView /*center*/) { return letter.values; }
  /// What a worker pulls (Timing::around) [P].
  virtual ConstView vector_to_pull(ConstView center) const { return center; }
  /// What is evaluated and saved [P].
  virtual ConstView evaluation_vector(ConstView center) const { return center; }
  /// What it keeps beside the center between two rounds.
  virtual void describe(State&) {}
};

/// The keys of a configuration that one algorithm alone has, declared as a layer declares its own.
class AlgorithmOptions {
 public:
  virtual ~AlgorithmOptions() = default;
  virtual void fields(config::Fields& f) = 0;
  /// Where the keys stand: in [algorithm], or in a table of their own, whose values nobody uses if
  /// the configuration names another algorithm.
  virtual std::string table() const { return "algorithm"; }
};

/// What the rules of an algorithm know of a run.
struct RuleOptions {
  std::size_t workers = 1;
  std::shared_ptr<const AlgorithmOptions> own = {};  ///< null if the algorithm has none

  template <class Own>
  const Own& of() const {
    const auto* options = dynamic_cast<const Own*>(own.get());
    EASGD_CHECK(options, "the options of another algorithm, or none");
    return *options;
  }
};

/// When a worker meets the master in a step that has an exchange.
enum class Timing {
  overlapped,  ///< letter before the gradient, reply with the step: hidden behind the gradient
  before,      ///< letter and reply before the gradient, which is taken where the reply has led to
  around,      ///< the center is pulled before the gradient, a letter pushed after the step
};

/// Which of rho, alpha and beta an algorithm takes.
enum class Coupling {
  none,
  elastic,  ///< one of the three
  alpha,    ///< alpha alone
};

/// Which ways of exchanging an algorithm is defined for.
enum class Exchange { any, asynchronous, synchronous };

/// What the registry holds of an algorithm. `x0` is the initial parameter vector in host memory.
struct Algorithm {
  std::function<std::unique_ptr<WorkerRule>(Backend&, const RuleOptions&, ConstView x0)> worker;
  std::function<std::unique_ptr<CenterRule>(Backend&, const RuleOptions&, ConstView x0)> center;
  /// Makes the keys of its own with their defaults; empty if it has none.
  std::function<std::unique_ptr<AlgorithmOptions>()> options = {};
  Timing timing = Timing::overlapped;
  Coupling coupling = Coupling::none;
  /// Of an algorithm that takes alpha alone: what people give it.
  double usual_alpha = 0.01;
  Exchange exchange = Exchange::any;
  /// Letters get an answer that the worker uses.
  bool replies = true;
  /// For one worker only.
  bool single = false;
  /// Defined with an exchange in every step (tau = 1) only.
  bool every_step = false;
  /// A last letter ends the run, so that no step is lost.
  bool last_letter = false;
  /// Letters carry a change, not a position: their length, not their distance from the center, is
  /// reported.
  bool sends_change = false;
  /// A worker can begin again with nothing but the center.
  bool begins_again = true;
  /// rho may not follow a schedule.
  bool fixed_rho = false;
  /// Of a synchronous round the center needs the sum of the summands only.
  bool absorbs_sums = false;
  /// The moving rate is bounded by the stability region of EASGD.
  bool elastic_region = false;
  /// Among how many beta = shares x alpha is divided; empty: the workers.
  std::function<std::size_t(const RuleOptions&)> shares = {};
};

/// Throws: Bug if the entry contradicts itself: rules are missing, a worker waits for a reply that
/// nobody writes, or one worker is to exchange in rounds.
void check_entry(const std::string& name, const Algorithm& algorithm);

/// `const RegisteredAlgorithm kEasgd("easgd", easgd());` at the end of a file adds an algorithm.
struct RegisteredAlgorithm : Registered<Algorithm> {
  RegisteredAlgorithm(const std::string& name, const Algorithm& algorithm)
      : Registered((check_entry(name, algorithm), name), algorithm) {}
};

/// The keys that an algorithm has of its own, with their defaults; null if it has none.
std::unique_ptr<AlgorithmOptions> make_options(const Algorithm& algorithm);

}  // namespace easgd
