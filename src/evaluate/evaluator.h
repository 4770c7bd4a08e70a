// Evaluates snapshots of the center on its own thread while the workers run: what is evaluated is
// what is saved.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/first_error.h"
#include "exchange/snapshot.h"

namespace easgd {

/// The result of one evaluation.
struct Evaluation {
  double seconds = 0;  ///< training time when the snapshot was taken
  std::uint64_t version = 0;
  std::vector<std::uint64_t> steps;
  Tally train;  ///< of the letters absorbed since the snapshot before
  Tally test;
};

/// Thrown by a test that was given up because it would have taken too long: no failure.
struct GivenUp {};

/// How a state [P + S] is evaluated. Both calls may throw GivenUp.
class CenterTest {
 public:
  virtual ~CenterTest() = default;
  /// Called before the state is saved and evaluated. May renew its running statistics; returns
  /// whether it has.
  virtual bool prepare(View /*state*/) { return false; }
  /// Loss and hits over the test set.
  virtual Tally evaluate(ConstView state) = 0;
};

struct EvaluatorOptions {
  /// Called on the evaluator's thread, where the test then lives.
  std::function<std::unique_ptr<CenterTest>()> make_test;
  /// Stores the snapshot before it is evaluated. If it throws, the message is logged once; finish()
  /// rethrows the error of the last save.
  std::function<void(const Snapshot&)> save;
  /// Called after each evaluation, on the evaluator's thread.
  std::function<void(const Evaluation&)> report;
  /// Called after that with the state that was evaluated. If it throws, the message is logged once.
  std::function<void(const Evaluation&, ConstView state)> keep_best = {};
  /// Called with what goes wrong while the run goes on, on the evaluator's thread.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
  /// The version that an earlier part of the run has evaluated last.
  std::optional<std::uint64_t> evaluated = {};
};

class Evaluator {
 public:
  /// `state`: P + S
  Evaluator(EvaluatorOptions options, std::size_t state);
  ~Evaluator();

  /// True if a test has thrown: there will be no further evaluations, but every snapshot is still
  /// saved. From any thread.
  bool failed() const { return bool(error_.get()); }
  /// After finish(): a test was given up.
  bool gave_up() const { return given_up_.has_value(); }
  /// Sleeps until a snapshot would be taken. From any thread.
  void wait() const { slot_.wait_until_empty(); }
  /// It has a snapshot that it has not yet saved and tested. From the master's thread, after which
  /// alone one comes.
  bool is_busy() const { return !slot_.is_empty(); }
  /// Takes a snapshot unless the evaluator is busy. From the master's thread.
  bool offer(const CenterView& center, double seconds) { return slot_.offer(center, seconds); }
  /// Saves and evaluates the last center, unless both have been done, and ends the thread. The
  /// center is saved first as it is, and once more if the test has prepared it, which may take
  /// long.
  /// Throws: what a test threw; what saving the last snapshot threw.
  void finish(const CenterView& last, double seconds);
  /// Ends the thread once it has saved and evaluated what it was offered.
  /// Throws: the same.
  void finish();

 private:
  void run();
  void save_and_evaluate(Snapshot& snapshot);
  template <class Part>
  void attempt(const Snapshot& snapshot, const Part& part);
  void save(const Snapshot& snapshot);
  void keep_best(const Evaluation& result, ConstView state);
  void evaluate(const Snapshot& snapshot);

  EvaluatorOptions options_;
  SnapshotSlot slot_;
  std::atomic<bool> last_{false};  // the snapshot that comes next is
  std::unique_ptr<CenterTest> test_;
  std::optional<std::uint64_t> done_;       // version; read by finish() once the slot is empty
  std::optional<std::uint64_t> evaluated_;  // version
  std::optional<std::uint64_t> given_up_;   // version of the last test that was
  std::exception_ptr save_error_;
  std::string save_reported_;  // the message of the last failure to save
  std::string best_reported_;  // the same of the best center
  FirstError error_;
  std::thread thread_;
};

}  // namespace easgd
