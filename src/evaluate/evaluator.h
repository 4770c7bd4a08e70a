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

/// How a state [P + S] is evaluated.
class CenterTest {
 public:
  virtual ~CenterTest() = default;
  /// Before it is saved and evaluated: may renew its running statistics, and says whether it has.
  virtual bool prepare(View /*state*/) { return false; }
  /// Loss and hits over the test set.
  virtual Tally evaluate(ConstView state) = 0;
};

struct EvaluatorOptions {
  /// Called on the evaluator's thread, where the test then lives.
  std::function<std::unique_ptr<CenterTest>()> make_test;
  /// Stores the snapshot before it is evaluated. What it throws is logged where it is new, and
  /// thrown by finish() if it was the last.
  std::function<void(const Snapshot&)> save;
  /// Called after each evaluation, on the evaluator's thread.
  std::function<void(const Evaluation&)> report;
  /// Called with what goes wrong while the run goes on, on the evaluator's thread.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

class Evaluator {
 public:
  /// `state`: P + S
  Evaluator(EvaluatorOptions options, std::size_t state);
  ~Evaluator();

  /// From any thread: a test has thrown; there will be no further evaluations, though every
  /// snapshot is still saved.
  bool failed() const { return bool(error_.get()); }
  /// From the master's thread: sleeps until it would take a snapshot.
  void wait() const { slot_.wait_until_empty(); }
  /// From the master's thread: takes a snapshot unless the evaluator is busy.
  bool offer(const CenterView& center, double seconds) { return slot_.offer(center, seconds); }
  /// Saves and evaluates the last center, as far as it has not been, and ends the thread. It is saved first
  /// as it is, and once more where the test has prepared it, which may take long.
  /// Throws: what a test threw; what saving the last snapshot threw.
  void finish(const CenterView& last, double seconds);

 private:
  void live();
  void save_and_evaluate(Snapshot& snapshot);
  template <class Part>
  void attempt(const Part& part);
  void save(const Snapshot& snapshot);
  void evaluate(const Snapshot& snapshot);

  EvaluatorOptions options_;
  SnapshotSlot slot_;
  std::atomic<bool> last_{false};  // the snapshot that comes next is
  std::unique_ptr<CenterTest> test_;
  std::optional<std::uint64_t> done_;       // version; read by finish() once the slot is empty
  std::optional<std::uint64_t> evaluated_;  // version
  std::exception_ptr save_error_;
  std::string save_told_;  // the last message of one, told once
  FirstError error_;
  std::thread thread_;
};

}  // namespace easgd
