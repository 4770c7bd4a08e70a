#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/standard_output.h"
#include "base/usable_cores.h"
#include "base/warning.h"
#include "commands/commands.h"
#include "data/location.h"
#include "sweep/asked_runs.h"
#include "sweep/candidates.h"
#include "sweep/open_plan.h"
#include "sweep/plan.h"
#include "sweep/probe.h"
#include "sweep/rungs.h"
#include "sweep/supervisor.h"
#include "sweep/sweep_file.h"
#include "sweep/sweep_table.h"
#include "sweep/sweep_terminal.h"
#include "sweep/time_left.h"

namespace easgd {
namespace {

struct Arguments {
  std::string file, out;
  std::vector<std::string> overrides;
  bool dry_run = false, probe = false, quiet = false, ask = false;
};

/// Whoever sits before the program.
class User final : public SweepTerminal {
 public:
  User(Loudness loudness, const SweepFile& file, const SweepFolder& folder)
      : SweepTerminal(loudness), file_(file), folder_(folder) {}

  void begin() override { folder_.keep_file(file_.path); }
  bool wants_end() override { return interrupted(); }
  void heard_end() override {
    line(
        "stopping: the runs that are at work save what they have; once more, after a second, "
        "quits at once");
  }

 private:
  const SweepFile& file_;
  const SweepFolder& folder_;
};

std::string folder_of(const Arguments& a, const SweepPlan& plan) {
  return a.out.empty() ? "sweeps/" + plan.name : a.out;
}

SweepRecord record_of(const SweepFolder& folder) {
  return is_sweep(folder.path()) ? read_sweep(folder.path()) : SweepRecord();
}

/// Of each run of a plan, by its identity.
using States = std::map<std::string, RunState>;

States states_of(const SweepPlan& plan, const SweepFolder& folder, const SweepRecord& record) {
  States states;
  for (const SweepRun& run : plan.runs) {
    const std::string& id = run.identity();
    states[id] = folder.state_of(id, record.state_of(id).state);
  }
  return states;
}

/// Nothing is left to do for it.
bool is_over(RunState state, const SweepPlan& plan) {
  return state == RunState::done || (state == RunState::stopped_early && plan.early_stop);
}

void list_runs(const SweepPlan& plan, const States& states, const Estimate& estimate) {
  const SweepTable table(plan);
  for (const SweepRun& run : plan.runs) {
    const RunState state = states.at(run.identity());
    const auto seconds = estimate.seconds_of(run);
    output("{}  {:<13}  {:>8}  {}{}{}\n", run.identity(), config::name_of(state),
           seconds ? fmt::format("{:.0f} s", *seconds) : "-", table.label_of(run),
           run.planned.adapted.empty() ? "" : "  adapted: ", fmt::join(run.planned.adapted, ", "));
  }
}

SweepOptions options_of(const SweepFile& file, const SweepPlan& plan) {
  return {.machine = machine_for(plan),
          .concurrent = std::size_t(file.concurrent),
          .runs_per_device = std::size_t(file.runs_per_device)};
}

/// How many runs go on is known as long as none has begun.
bool is_left_open(const SweepPlan& plan, const States& states, const std::vector<OpenRun>& open) {
  const auto has_begun = [](const auto& state) { return state.second != RunState::waiting; };
  return plan.early_stop && !open.empty() && std::ranges::any_of(states, has_begun);
}

/// In words; the machine on which the sweep is planned may lack what its runs want.
std::string time_left(const SweepPlan& plan, const States& states, const SweepFile& file,
                      const Estimate& estimate) {
  try {
    const SweepOptions options = options_of(file, plan);
    std::vector<OpenRun> open;
    for (const SweepRun& run : plan.runs) {
      if (!is_over(states.at(run.identity()), plan)) open.push_back({&run});
    }
    if (open.empty()) return "nothing is left to do";
    if (is_left_open(plan, states, open)) {
      return "how long the rest takes is not known: it depends on how many runs go on";
    }
    const Capacity capacity(options.machine, options.concurrent, options.runs_per_device);
    const auto left = seconds_left(open, estimate, capacity);
    const double work = plan.early_stop ? forecast(plan, count_candidates(plan)).work : 1;
    if (!left) return "how long they take is not known yet: --probe tries one of each kind";
    const double seconds = *left * work;
    return fmt::format("{} on {}",
                       seconds < 1 ? "less than 1 s" : fmt::format("about {:.0f} s", seconds),
                       describe_cores());
  } catch (const DeviceError& e) {
    return fmt::format("not on this machine: {}", e.what());
  }
}

/// What a sweep would do, and how long it would take.
ExitCode describe(const SweepPlan& plan, const SweepFolder& folder, const SweepFile& file,
                  bool with_probe) {
  Estimate estimate = estimate_from(plan, folder);
  if (with_probe) {
    hear_signals();
    catch_interrupts();
    if (!probe(plan, estimate, interrupted)) return ExitCode::interrupted;
  }
  const SweepRecord record = record_of(folder);
  for (const std::string& note : record.notes) warn(note);
  const States states = states_of(plan, folder, record);
  list_runs(plan, states, estimate);
  output("{} run{}", plan.runs.size(), plan.runs.size() == 1 ? "" : "s");
  if (plan.same > 0) {
    output(", {} to the same run", plan.same == 1
                                       ? "1 combination that comes"
                                       : fmt::format("{} combinations that come", plan.same));
  }
  if (plan.excluded > 0) output(", {} left out by require", plan.excluded);
  output("; {}\n", time_left(plan, states, file, estimate));
  if (plan.early_stop) output("{}\n", describe_rungs(plan, count_candidates(plan)));
  for (const std::string& remark : plan.remarks) output("{}\n", remark);
  return ExitCode::done;
}

/// A search that has been killed leaves a sweep that saves its runs and ends.
void wait_for_an_earlier_one(const SweepFolder& folder) {
  constexpr int kMostNaps = 100;
  for (int i = 0; i < kMostNaps && folder.is_at_work() && !interrupted(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// The runs that somebody asks for on the standard input.
ExitCode run_asked(const Arguments& a) {
  const SweepFile file = read_sweep_file(a.file);
  const SweepPlan plan = open_plan(file, a.overrides);
  const SweepFolder folder(folder_of(a, plan));
  const SweepOptions options = options_of(file, plan);
  hear_signals();
  folder.make();
  catch_interrupts();
  wait_for_an_earlier_one(folder);
  AskedRuns client({file, a.overrides, folder, options});
  const SweepResult result = run_sweep(plan, folder, options, client);
  if (result.interrupted) return ExitCode::interrupted;
  return result.failed > 0 ? ExitCode::bug : ExitCode::done;
}

/// Runs would fail, and be tried twice, for want of data. Those that are over need none.
/// Throws: DataError.
void check_data(const SweepPlan& plan, const SweepFolder& folder) {
  std::map<std::pair<std::string, std::string>, bool> is_there;
  std::vector<const SweepRun*> without;
  for (const SweepRun& run : plan.runs) {
    const DataConfig& data = run.config.data;
    const auto [set, is_new] = is_there.try_emplace({data.set, data.dir});
    if (is_new) set->second = locate(data.set, data.dir).has_value();
    if (!set->second) without.push_back(&run);
  }
  if (without.empty()) return;
  const States states = states_of(plan, folder, record_of(folder));
  for (const SweepRun* run : without) {
    const DataConfig& data = run->config.data;
    if (is_over(states.at(run->identity()), plan)) continue;
    throw DataError(why_not_located(data.set, data.dir, "data.dir"));
  }
}

ExitCode sweep(const Arguments& a) {
  if (a.ask) return run_asked(a);
  const SweepFile file = read_sweep_file(a.file);
  const SweepPlan plan = plan_sweep(file, a.overrides);
  const SweepFolder folder(folder_of(a, plan));
  if (a.dry_run) return describe(plan, folder, file, a.probe);
  const SweepOptions options = options_of(file, plan);
  check_data(plan, folder);
  hear_signals();
  folder.make();
  catch_interrupts();
  User user(a.quiet ? Loudness::warnings : Loudness::all, file, folder);
  for (const std::string& remark : plan.remarks) user.line(remark);
  const SweepResult result = run_sweep(plan, folder, options, user);
  write_output(result.table);
  output("{}: {} of {} runs done, {} failed,{} {} to do; {}\n", plan.name, result.done,
         plan.runs.size(), result.failed,
         plan.early_stop ? fmt::format(" {} stopped early,", result.stopped) : "", result.waiting,
         folder.path().string());
  if (result.interrupted) return ExitCode::interrupted;
  return result.failed > 0 ? ExitCode::bug : ExitCode::done;
}

}  // namespace

void declare_sweep(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand(
      "sweep", "runs a study: every combination of what a sweep file varies; goes on where it was");
  command->add_option("file", a->file, "TOML file, see `easgd help sweep`")->required();
  const auto* out =
      command->add_option("--out", a->out, "the sweep's folder (default: sweeps/<name>)");
  auto* dry_run = command->add_flag("--dry-run", a->dry_run,
                                    "list the runs and how long they take; run nothing");
  command->add_flag("--probe", a->probe, "with --dry-run: try one run of each kind for seconds")
      ->needs(dry_run);
  command
      ->add_flag("--ask", a->ask,
                 "run what another program asks for on the standard input: see docs/search.md")
      ->excludes(dry_run);
  command->add_flag("--quiet", a->quiet, "print the table at the end and nothing before it");
  declare_overrides(*command, a->overrides);
  command->footer(
      "Exit code 1: runs have failed, or were not begun; the others are done. The same command\n"
      "again tries them once more.");
  command->callback([a, out, &result] {
    if (out->count() > 0 && a->out.empty()) {
      throw ConfigError("--out: expected a folder; found an empty name");
    }
    result = sweep(*a);
  });
}

}  // namespace easgd
