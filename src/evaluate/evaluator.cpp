#include "evaluate/evaluator.h"

#include <utility>

#include "base/failure.h"
#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd {

Evaluator::Evaluator(EvaluatorOptions options, std::size_t state)
    : options_(std::move(options)),
      slot_(state),
      evaluated_(options_.evaluated),
      thread_(start_thread("the evaluator", [this] { run(); })) {}

Evaluator::~Evaluator() {
  if (!thread_.joinable()) return;
  slot_.wait_until_empty();
  slot_.close();
  thread_.join();
}

void Evaluator::finish(const CenterView& last, double seconds) {
  slot_.wait_until_empty();
  if (done_ != last.version) {
    last_ = true;
    slot_.offer(last, seconds);
  }
  finish();
}

void Evaluator::finish() {
  slot_.wait_until_empty();
  slot_.close();
  thread_.join();
  error_.rethrow_if_any();
  if (save_error_) std::rethrow_exception(save_error_);
}

void Evaluator::run() {
  name_thread("evaluator");
  while (Snapshot* snapshot = slot_.take()) {
    save_and_evaluate(*snapshot);
    slot_.release();
  }
  test_ = nullptr;  // on the thread that made it
}

void Evaluator::save_and_evaluate(Snapshot& snapshot) {
  bool is_saved = last_;
  if (is_saved) save(snapshot);
  attempt(snapshot, [&] {
    if (!test_) test_ = options_.make_test();
    if (test_->prepare(snapshot.center)) is_saved = false;
  });
  if (!is_saved) save(snapshot);
  if (evaluated_ != snapshot.version) attempt(snapshot, [&] { evaluate(snapshot); });
  if (!save_error_) done_ = snapshot.version;
}

/// Does nothing once an earlier part has failed, or one of this snapshot was given up.
template <class Part>
void Evaluator::attempt(const Snapshot& snapshot, const Part& part) {
  if (failed() || given_up_ == snapshot.version) return;
  try {
    part();
  } catch (const GivenUp&) {
    if (std::exchange(given_up_, snapshot.version)) return;
    options_.warn("the center was saved and not tested: that takes longer than an end may");
  } catch (...) {
    error_.record();
    options_.warn("evaluation: " + failure_of(std::current_exception()).message);
  }
}

void Evaluator::save(const Snapshot& snapshot) {
  const TraceScope range("save");
  save_error_ = nullptr;
  try {
    options_.save(snapshot);
  } catch (const std::exception& e) {
    save_error_ = std::current_exception();
    if (save_reported_ != e.what()) options_.warn(std::string(e.what()) + "; the run goes on");
    save_reported_ = e.what();
  }
}

void Evaluator::evaluate(const Snapshot& snapshot) {
  const TraceScope range("evaluate");
  Evaluation result{snapshot.seconds, snapshot.version, snapshot.steps, snapshot.train, {}};
  result.test = test_->evaluate(snapshot.center);
  evaluated_ = snapshot.version;
  options_.report(result);
  if (options_.keep_best) keep_best(result, snapshot.center);
}

void Evaluator::keep_best(const Evaluation& result, ConstView state) {
  try {
    options_.keep_best(result, state);
  } catch (const std::exception& e) {
    if (best_reported_ != e.what()) options_.warn(std::string(e.what()) + "; the run goes on");
    best_reported_ = e.what();
  }
}

}  // namespace easgd
