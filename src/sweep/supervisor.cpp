#include "sweep/supervisor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <map>
#include <set>

#include "base/child_process.h"
#include "base/error.h"
#include "base/exit_code.h"
#include "base/warning.h"
#include "runs/run_record.h"
#include "sweep/candidates.h"
#include "sweep/ledger.h"
#include "sweep/rung_result.h"
#include "sweep/start_run.h"
#include "sweep/sweep_table.h"
#include "sweep/time_left.h"

namespace easgd {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kAttempts = 2;
constexpr auto kLook = std::chrono::milliseconds(100);
constexpr auto kGlance = std::chrono::milliseconds(500);

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Why a run has not come to its end.
std::string reason_of(const ChildProcess& process, const std::string& last_words) {
  const std::string signal = process.fatal_signal();
  if (signal.empty()) return last_words;
  return fmt::format("ended by {}{}", signal, last_words.empty() ? "" : ": " + last_words);
}

/// Two runs fail for one reason, though each names its own files.
std::string without(std::string text, const std::string& identity) {
  for (std::size_t at; (at = text.find(identity)) != text.npos;) text.erase(at, identity.size());
  return text;
}

class Supervisor {
 public:
  Supervisor(const SweepPlan& plan, const SweepFolder& folder, const SweepOptions& options,
             SweepClient& client)
      : plan_(plan),
        folder_(folder),
        client_(client),
        ledger_(folder.path()),
        capacity_(options.machine, options.concurrent, options.runs_per_device) {}

  SweepResult run();

 private:
  void supervise();
  bool is_hopeless() const;
  bool has_more() const;
  void sort_out();
  void add_waiting(const std::vector<Leg>& legs);
  void take_asked();
  void give_up();
  bool has_come_to_end(const SweepRun& run) const;
  void count_finished(const SweepRun& run, const RunSummary& summary);
  void launch_what_fits();
  void launch_waiting();
  std::optional<Share> share_of(const SweepRun& run);
  bool make_way(const Waiting& next);
  bool launch(const Waiting& next);
  void collect();
  void finish(const Running& ended);
  std::optional<RungResult> passed(const Waiting& next) const;
  void rest(const Waiting& which, const RungResult& result);
  bool stop_losers();
  void fail(const Waiting& which, StateEvent how);
  void note(const Waiting& which, StateEvent state);
  void end_all();
  void give_up_on(const Waiting& which, std::optional<int> code);
  void end_early();
  void show();
  SweepState state();
  std::vector<OpenRun> open_runs() const;

  const SweepPlan& plan_;
  const SweepFolder& folder_;
  SweepClient& client_;
  Ledger ledger_;
  Capacity capacity_;
  Estimate estimate_;
  SweepResult result_;
  SweepTable table_{plan_};
  std::optional<Candidates> candidates_;  // if the sweep stops early
  std::set<const SweepRun*> stopped_;     // early
  bool has_paused_ = false;               // some run
  std::list<Waiting> waiting_;
  std::list<Running> running_;
  // Runs that another process has, which ends soon: the child of a sweep that was killed. It takes
  // its share of the machine as long.
  std::map<std::string, Share> awaited_;
  std::set<const SweepRun*> spared_;  // too near their end to be given up
  std::set<std::string> reasons_;     // of runs that have failed
  Clock::time_point begin_ = Clock::now(), next_glance_ = begin_;
};

/// Whatever ails them all is to be mended first.
bool Supervisor::is_hopeless() const {
  constexpr std::size_t kEnough = 3;
  return result_.done == 0 && !has_paused_ && result_.failed >= kEnough && reasons_.size() == 1 &&
         has_more() && !client_.may_ask();
}

bool Supervisor::has_more() const {
  return !waiting_.empty() || (candidates_ && candidates_->next_run());
}

/// What is done is not done again.
void Supervisor::sort_out() {
  if (plan_.early_stop) candidates_.emplace(plan_, ledger_.record());
  has_paused_ = !ledger_.record().rungs.empty();
  for (const SweepRun& run : plan_.runs) {
    if (const auto summary = folder_.finished(run.identity())) {
      count_finished(run, *summary);
      if (ledger_.state_of(run).state != RunState::done) {
        note({&run}, {.state = RunState::done, .exit_code = 0});
      }
    } else if (!candidates_) {
      waiting_.push_back({&run});
    }
  }
  if (candidates_) add_waiting(candidates_->open_legs());
  if (result_.done > 0) {
    client_.line(fmt::format("{} of {} runs are done already", result_.done, plan_.runs.size()));
  }
}

void Supervisor::add_waiting(const std::vector<Leg>& legs) {
  for (const Leg& leg : legs) {
    stopped_.erase(leg.run);
    waiting_.push_back({leg.run, leg.pause});
  }
}

void Supervisor::take_asked() {
  for (const SweepRun* run : client_.asked_runs()) {
    ledger_.add(run->planned);
    waiting_.push_back({run});
  }
}

/// Whoever is at work is asked to end; one that waits does not begin.
void Supervisor::give_up() {
  for (Running& running : running_) {
    const SweepRun& run = *running.begun.run;
    const bool goes_on = running.given_up || spared_.contains(&run);
    if (goes_on || !client_.gives_up(run.identity())) continue;
    running.given_up = true;
    running.process->terminate();
  }
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto here = next++;
    const SweepRun& run = *here->run;
    if (!client_.gives_up(run.identity()) || folder_.is_at_work(run.identity())) continue;
    if (has_come_to_end(run)) {
      spared_.insert(&run);
      continue;
    }
    if (const auto share = awaited_.extract(run.identity())) capacity_.give_back(share.mapped());
    give_up_on(*here, std::nullopt);
    waiting_.erase(here);
  }
}

/// Nothing but its last evaluation can be wanting.
bool Supervisor::has_come_to_end(const SweepRun& run) const {
  if (folder_.finished(run.identity())) return true;
  const auto summary = find_summary(folder_.run(run.identity()));
  if (!summary || summary->steps.empty()) return false;
  const StopConfig& stop = run.config.stop;
  return (stop.epochs && summary->epochs >= *stop.epochs) ||
         (stop.steps && std::ranges::min(summary->steps) >= std::uint64_t(*stop.steps)) ||
         (stop.test_error && summary->best_test_error <= *stop.test_error);
}

void Supervisor::count_finished(const SweepRun& run, const RunSummary& summary) {
  ++result_.done;
  estimate_.learn(run, summary);
  table_.add_finished(run, summary);
  folder_.clear_checkpoints(run.identity());
  if (!candidates_) return;
  candidates_->finished(run, summary, evaluations_in(folder_.run(run.identity())));
}

/// Whom halving chooses is chosen when there is a place for it, by what is known then.
void Supervisor::launch_what_fits() {
  launch_waiting();
  while (waiting_.empty() && candidates_) {
    const SweepRun* next = candidates_->next_run();
    if (!next || !capacity_.has_room(next->demand)) return;
    add_waiting(candidates_->take_next());
    launch_waiting();
  }
}

void Supervisor::launch_waiting() {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto here = next++;
    if (launch(*here)) waiting_.erase(here);
  }
}

/// Nothing if there is no room for the run, or another process still has it.
std::optional<Share> Supervisor::share_of(const SweepRun& run) {
  const std::string& id = run.identity();
  const auto awaited = awaited_.find(id);
  if (awaited != awaited_.end()) {
    if (folder_.is_at_work(id)) return std::nullopt;
    return awaited_.extract(awaited).mapped();
  }
  const auto share = capacity_.take(run.demand);
  if (!share || !folder_.is_at_work(id)) return share;
  client_.line(table_.label_of(run) + ": a process of before is still at work; waiting for it");
  awaited_[id] = *share;
  return std::nullopt;
}

/// What a run has come to where it is to pause, if it has been there without pausing: before there
/// were rungs, or with others. One that was on its way to this very place is to pause there still:
/// its evaluation may be older than the checkpoint that it needs.
std::optional<RungResult> Supervisor::passed(const Waiting& next) const {
  if (!next.pause || ledger_.state_of(*next.run).until == next.pause->text()) return std::nullopt;
  return result_at(*next.pause, evaluations_in(folder_.run(next.run->identity())));
}

/// In the run's folder, for the run. False if that cannot be, which is its failure.
bool Supervisor::make_way(const Waiting& next) {
  const SweepRun& run = *next.run;
  try {
    const std::string remark = folder_.make_way(run.identity());
    if (!remark.empty()) client_.line(fmt::format("{}: {}", table_.label_of(run), remark));
    return true;
  } catch (const Error& e) {
    fail(next, {.state = RunState::failed, .attempt = next.attempt, .reason = e.what()});
    return false;
  }
}

/// False if there is no room for it yet.
bool Supervisor::launch(const Waiting& next) {
  const SweepRun& run = *next.run;
  const std::string& id = run.identity();
  const auto share = share_of(run);
  if (!share) return false;
  if (const auto summary = folder_.finished(id)) {
    capacity_.give_back(*share);
    count_finished(run, *summary);
    if (ledger_.state_of(run).state != RunState::done) {
      note(next, {.state = RunState::done, .attempt = next.attempt, .exit_code = 0});
    }
    client_.run_ended(ledger_.state_of(run));
    return true;
  }
  if (!make_way(next)) {
    capacity_.give_back(*share);
    return true;
  }
  if (const auto result = passed(next)) {
    capacity_.give_back(*share);
    client_.line(fmt::format("{} has passed {} before: {}", table_.label_of(run),
                             next.pause->text(), text_of(*result, plan_.early_stop->metric)));
    rest(next, *result);
    return true;
  }
  try {
    running_.push_back(start_run(folder_, next, *share));
  } catch (const Error& e) {  // costs this run, not those that are at work
    capacity_.give_back(*share);
    fail(next, {.state = RunState::failed, .attempt = next.attempt, .reason = e.what()});
    return true;
  }
  note(next, {.state = RunState::running, .attempt = next.attempt});
  client_.run_began(id);
  return true;
}

void Supervisor::collect() {
  for (auto it = running_.begin(); it != running_.end();) {
    const auto here = it++;
    if (!here->process->has_ended()) continue;
    capacity_.give_back(here->share);
    finish(*here);
    running_.erase(here);
  }
}

void Supervisor::finish(const Running& ended) {
  const int code = ended.process->exit_code();
  Waiting which = ended.begun;
  const SweepRun& run = *which.run;
  if (ended.given_up && code != 0) return give_up_on(which, code);
  StateEvent state{.state = RunState::done, .attempt = which.attempt, .exit_code = code};
  const auto summary = folder_.finished(run.identity());
  if (code == 0 && summary) {
    note(which, state);
    count_finished(run, *summary);
    client_.line(fmt::format("{}/{} {}: {}{}", result_.done, plan_.runs.size(),
                             table_.label_of(run), outcome_of(*summary),
                             which.pause ? "; it came to its end before a pause" : ""));
    return client_.run_ended(ledger_.state_of(run));
  }
  if (code == 0 && which.pause) {
    if (const auto there = folder_.paused(run.identity(), *which.pause)) {
      const RungResult result{there->test_error, there->test_loss, there->train_loss};
      client_.line(fmt::format("{} pauses at {}: {}", table_.label_of(run), which.pause->text(),
                               text_of(result, plan_.early_stop->metric)));
      return rest(which, result);
    }
  }
  // A run that has just begun does not save anything yet.
  const bool ended_by_us = result_.interrupted && code == 128 + SIGTERM;
  const bool is_interrupted =
      code == int(ExitCode::interrupted) || code == int(ExitCode::abandoned) || ended_by_us;
  state.state = is_interrupted ? RunState::interrupted : RunState::failed;
  state.reason = is_interrupted ? "was interrupted"
                                : reason_of(*ended.process,
                                            folder_.last_words(run.identity(), ended.said_before));
  which.beginning = beginning_after(ended.begun, code);
  fail(which, state);
}

/// The run has come to where it is to pause.
void Supervisor::rest(const Waiting& which, const RungResult& result) {
  note(which,
       {.state = RunState::paused, .attempt = which.attempt, .exit_code = 0, .result = result});
  has_paused_ = true;
  candidates_->paused(*which.run, *which.pause, result);
}

/// Runs that do not go on any more, whatever comes. They leave no checkpoint. False if a process of
/// before still has one of them.
bool Supervisor::stop_losers() {
  bool all_are_stopped = true;
  for (const SweepRun* run : candidates_->losers()) {
    if (stopped_.contains(run)) continue;
    if (folder_.is_at_work(run->identity())) {
      all_are_stopped = false;
      continue;
    }
    stopped_.insert(run);
    if (ledger_.stop(*run, plan_.rungs[0].unit)) {
      client_.line(fmt::format("{} is stopped early", table_.label_of(*run)));
    }
    folder_.clear_checkpoints(run->identity());
  }
  return all_are_stopped;
}

/// With where the run was to pause.
void Supervisor::note(const Waiting& which, StateEvent state) {
  if (candidates_) state.until = which.pause ? which.pause->text() : Candidates::kEnd;
  ledger_.note(*which.run, std::move(state));
}

/// A stop that has come in the way of a run's last evaluation came too late: the run goes on.
void Supervisor::give_up_on(const Waiting& which, std::optional<int> code) {
  const SweepRun& run = *which.run;
  if (has_come_to_end(run)) {
    note(which, {.state = RunState::interrupted, .attempt = which.attempt, .exit_code = code});
    waiting_.push_front({&run, which.pause, which.attempt});
    return;
  }
  note(which, {.state = RunState::stopped_early, .attempt = which.attempt, .exit_code = code});
  folder_.clear_checkpoints(run.identity());
  client_.run_ended(ledger_.state_of(run));
}

void Supervisor::fail(const Waiting& which, StateEvent how) {
  const SweepRun& run = *which.run;
  const std::string code = how.exit_code ? fmt::format(" (exit code {})", *how.exit_code) : "";
  if (result_.interrupted) {
    note(which, how);
    waiting_.push_back({&run, which.pause});
  } else if (how.attempt < kAttempts) {
    note(which, how);
    client_.line(fmt::format("{} failed{} and is tried once more: {}", table_.label_of(run), code,
                             how.reason));
    waiting_.push_front({&run, which.pause, how.attempt + 1, which.beginning});
  } else {
    how.state = RunState::failed;
    note(which, how);
    ++result_.failed;
    reasons_.insert(without(how.reason, run.identity()));
    table_.add_failed(run);
    if (candidates_) candidates_->failed(run);
    client_.line(fmt::format("{} failed{}: {}; more in {}", table_.label_of(run), code, how.reason,
                             folder_.log(run.identity()).string()));
    client_.run_ended(ledger_.state_of(run));
  }
}

/// They save what they have.
void Supervisor::end_all() {
  for (const Running& running : running_) running.process->terminate();
  for (const Running& running : running_) running.process->exit_code();
}

void Supervisor::end_early() {
  if (result_.interrupted || !client_.wants_end()) return;
  result_.interrupted = true;
  client_.heard_end();
  for (const Running& running : running_) running.process->terminate();
}

std::vector<OpenRun> Supervisor::open_runs() const {
  std::vector<OpenRun> open;
  for (const Waiting& waiting : waiting_) open.push_back({waiting.run});
  for (const Running& running : running_) {
    open.push_back({running.begun.run, seconds_since(running.begin)});
  }
  return open;
}

SweepState Supervisor::state() {
  SweepState state{.name = plan_.name,
                   .total = plan_.runs.size(),
                   .done = result_.done,
                   .failed = result_.failed,
                   .stopped = stopped_.size(),
                   .running = {},
                   .best = table_.best(),
                   .seconds = seconds_since(begin_),
                   .seconds_left = {}};
  // How many runs halving lets go on is not known.
  if (!candidates_) state.seconds_left = seconds_left(open_runs(), estimate_, capacity_);
  for (Running& running : running_) {
    state.running.push_back(
        {table_.label_of(*running.begun.run), running.tail.look(), seconds_since(running.begin)});
  }
  return state;
}

void Supervisor::show() {
  if (Clock::now() < next_glance_) return;
  next_glance_ = Clock::now() + kGlance;
  client_.show(state());
}

SweepResult Supervisor::run() {
  try {
    supervise();
  } catch (...) {
    end_all();
    throw;
  }
  client_.end();
  if (is_hopeless()) {
    client_.line("the first runs have failed for one reason, and none is done: no other was begun");
  }
  for (const SweepRun* run : stopped_) table_.add_stopped(*run, ledger_.state_of(*run));
  for (const SweepRun& run : plan_.runs) {
    if (ledger_.state_of(run).state == RunState::paused) table_.add_paused(run);
  }
  result_.stopped = stopped_.size();
  result_.waiting = candidates_
                        ? plan_.runs.size() - result_.done - result_.failed - result_.stopped
                        : waiting_.size();
  result_.table = table_.text();
  return result_;
}

void Supervisor::supervise() {
  for (const std::string& note : ledger_.record().notes) warn(note);
  if (const std::string remark = ledger_.take(plan_); !remark.empty()) client_.line(remark);
  sort_out();
  if (has_more() || client_.may_ask()) ledger_.check_writable();
  client_.begin();
  while (true) {
    take_asked();
    give_up();
    end_early();
    const bool ends = result_.interrupted || is_hopeless();
    if (!ends) launch_what_fits();
    const bool all_are_stopped = !candidates_ || stop_losers();
    const bool nothing_to_do = waiting_.empty() && all_are_stopped && !client_.may_ask();
    if (running_.empty() && (ends || nothing_to_do)) break;
    std::vector<ChildProcess*> processes;
    for (const Running& running : running_) processes.push_back(running.process.get());
    wait_for_any(processes, kLook, client_.descriptor());
    collect();
    show();
  }
}

}  // namespace

SweepResult run_sweep(const SweepPlan& plan, const SweepFolder& folder, const SweepOptions& options,
                      SweepClient& client) {
  return Supervisor(plan, folder, options, client).run();
}

}  // namespace easgd
