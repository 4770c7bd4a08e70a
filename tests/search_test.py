#!/usr/bin/python3
"""tests/search_test.py EASGD: does a search go on to its end, whatever is killed?

EASGD is the program. Exit code 77: Optuna is not installed.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "easgd"
SKIPPED = 77

# Tiny runs of two workers in virtual time.
BASE = """
seed = 7
data = {set = "synthetic", samples = 600}
algorithm = {name = "easgd", tau = 4, beta = 0.9, learning_rate = 0.05}
workers = {devices = "2 x cpu", batch = 20, threads = 1}
center.order = "virtual"
stop.epochs = 1
evaluate.every = {epochs = 0.5}
[[network.layer]]
type = "linear"
outputs = 10
[[network.layer]]
type = "softmax_cross_entropy"
"""

RATES = """
base = "base.toml"
concurrent = 2
axes."algorithm.learning_rate" = {min = 1e-4, max = 0.5, scale = "log"}
axes."algorithm.tau" = [1, 4, 16]
"""


# A program each of whose runs fails, and does not say why.
SILENT = """#!/usr/bin/python3
import json, sys
def say(**line): print(json.dumps(line), flush=True)
say(event="sweep", name="silent", folder=sys.argv[sys.argv.index("--out") + 1], base="",
    adapt=False, seeds=[], runs=1, require=[], groups=[[]], early_stop=None)
for line in map(json.loads, sys.stdin):
    if "plan" in line:
        run = {"identity": "a", "folder": "runs/a", "values": {}, "end": {}, "state": "waiting",
               "share": 1}
        say(event="planned", plan=line["plan"], runs=[run])
    else:
        say(event="run", identity=line["run"], state="failed", reason="")
"""

# A program whose runs take two passes, and after each a second for whoever wants to end them. The
# second falls behind in the last pass; the third has an error, but no loss.
PLAYED = """#!/usr/bin/python3
import json, pathlib, select, sys
def say(**line): print(json.dumps(line), flush=True)
folder = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
say(event="sweep", name="played", folder=str(folder), base="", adapt=False, seeds=[], runs=1,
    require=[], groups=[[{"keys": ["x"], "points": [["0"], ["1"], ["2"]]}]],
    early_stop={"eta": 2, "metric": "test_error", "first": "epochs=1"})
def play(name):
    run = folder / name
    run.mkdir(exist_ok=True)
    metrics = open(run / "metrics.jsonl", "w")
    say(event="run", identity=name, state="running")
    for epoch in (1, 2):
        error = 0.5 if name == "1" and epoch == 2 else 0 if name == "2" else 0.1
        print(json.dumps({"event": "evaluation", "epoch": epoch, "steps": [epoch],
                          "test_error": error, "test_loss": None if name == "2" else 1,
                          "train_loss": 1}), file=metrics, flush=True)
        if select.select([sys.stdin], [], [], 1)[0]:
            return "stopped_early" if "stop" in json.loads(sys.stdin.readline()) else "failed"
    (run / "summary.json").write_text(json.dumps({"status": "done", "test_error": error}))
    return "done"
for line in iter(sys.stdin.readline, ""):
    line = json.loads(line)
    if "plan" in line:
        name = str(line["points"][0])
        run = {"identity": name, "folder": name, "values": {"x": name}, "end": {"epochs": 2},
               "state": "waiting", "share": 1}
        say(event="planned", plan=line["plan"], runs=[run])
    elif "run" in line:
        say(event="run", identity=line["run"], state=play(line["run"]))
"""

# Modules and a program by which a search is killed when it has decided to prune a trial: before it
# has noted that, and before the program of its runs has heard of it.
KILLED_AT_NOTE = """
import os, signal, optuna
note = optuna.trial.Trial.set_user_attr
def note_or_die(trial, key, value):
    if key == "pruned_at":
        os.kill(os.getpid(), signal.SIGKILL)
    note(trial, key, value)
optuna.trial.Trial.set_user_attr = note_or_die
"""
KILLED_AT_STOP = """#!/usr/bin/python3
import os, signal, subprocess, sys
easgd = subprocess.Popen([PROGRAM, *sys.argv[1:]], stdin=subprocess.PIPE)
for line in sys.stdin.buffer:
    if b'"stop"' in line:
        os.kill(os.getppid(), signal.SIGKILL)
        break
    easgd.stdin.write(line)
    easgd.stdin.flush()
easgd.stdin.close()
sys.exit(easgd.wait())
"""

# Trains in no time, and evaluates for a second or two.
SLOW_END = """
base = "base.toml"
[set]
data.samples = 40
evaluate.every.epochs = 2
stop.epochs = 2
[axes]
"network.layer" = [[{type = "linear", outputs = 2000}, {type = "linear", outputs = 2000},
                    {type = "linear", outputs = 10}, {type = "softmax_cross_entropy"}]]
"""


def descendants(pid: int) -> list[int]:
    """Processes that it started, and that these started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [p for child in map(int, children) for p in (child, *descendants(child))]


class Search(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.out = self.root / "out"
        (self.root / "base.toml").write_text(BASE)

    def words(self, sweep: str, *arguments: str) -> list[str]:
        (self.root / "sweep.toml").write_text(sweep)
        return [sys.executable, str(ROOT / "tools/search"), str(self.root / "sweep.toml"), "--out",
                str(self.out), "--program", str(PROGRAM), *arguments]

    def search(self, sweep: str, *arguments: str, code: int = 0, **more):
        done = subprocess.run(self.words(sweep, *arguments), capture_output=True, text=True,
                              check=False, timeout=300, **more)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done

    def studies(self) -> list:
        import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = f"sqlite:///{self.out}/search.db"
        return [optuna.load_study(study_name=s.study_name, storage=storage)
                for s in optuna.get_all_study_summaries(storage)]

    def study(self):
        [study] = self.studies()
        return study

    def events(self, kind: str) -> list[dict]:
        lines = (self.out / "manifest.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["event"] == kind]

    def states(self, identity: str) -> list[str]:
        return [e["state"] for e in self.events("run") if e["identity"] == identity]

    def summary(self, identity: str) -> dict:
        return json.loads((self.out / "runs" / identity / "summary.json").read_text())

    def config(self, identity: str) -> dict:
        return tomllib.loads((self.out / "configs" / f"{identity}.toml").read_text())

    def assert_whole(self, trials: int) -> None:
        """So many trials, each with a run of its own, which was made once."""
        found = self.study().trials
        self.assertEqual(trials, len(found))
        runs = [run for trial in found for run in trial.user_attrs["runs"]]
        self.assertEqual(trials, len(set(runs)))
        self.assertEqual(set(runs), {p.name for p in (self.out / "runs").iterdir()})
        self.assertEqual(sorted(runs), sorted(e["run"]["identity"] for e in self.events("added")))
        for trial, run in zip(found, runs):
            self.assertIn(trial.state.name, ("COMPLETE", "PRUNED"))
            states = self.states(run)
            self.assertEqual("done" if trial.state.name == "COMPLETE" else "stopped_early",
                             states[-1])
            self.assertEqual(set(), set(states[:-1]) - {"running", "interrupted"})
            if trial.state.name == "COMPLETE":
                self.assertEqual(self.summary(run)["test_error"], trial.value)
                self.assertEqual(str(trial.params["algorithm.tau"]),
                                 str(self.config(run)["algorithm"]["tau"]))

    # To its end. ----------------------------------------------------------------------------------

    def test_twelve_trials(self):
        done = self.search(RATES, "--trials", "12")
        self.assert_whole(12)
        self.assertIn("\n12 trials: ", done.stdout)
        best = self.study().best_trial
        self.assertIn(best.user_attrs["runs"][0], done.stdout.splitlines()[0])
        self.assertIn(f" tau={best.params['algorithm.tau']}", done.stdout.splitlines()[0])
        self.assertEqual(12, done.stderr.count(" trial "))
        self.assertEqual(2, self.most_at_once())
        # The same again has nothing to do; more trials are added.
        before = self.events("run")
        self.search(RATES, "--trials", "12")
        self.assertEqual(before, self.events("run"))
        self.search(RATES, "--trials", "13")
        self.assert_whole(13)

    def most_at_once(self) -> int:
        at_work: set[str] = set()
        most = 0
        for event in self.events("run"):
            (at_work.add if event["state"] == "running" else at_work.discard)(event["identity"])
            most = max(most, len(at_work))
        return most

    def killed(self, with_children: bool) -> None:
        moments = random.Random(with_children)
        words = self.words(RATES, "--trials", "12")
        for _ in range(4):
            search = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0.8, 3))
            for pid in [*(descendants(search.pid) if with_children else []), search.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it has ended
            search.wait()
        self.search(RATES, "--trials", "12")
        self.assert_whole(12)

    def test_goes_on_when_it_was_killed(self):
        self.killed(with_children=False)

    def test_goes_on_when_it_was_killed_with_its_runs(self):
        self.killed(with_children=True)

    def test_goes_on_with_a_trial_that_was_killed_before_it_had_all_its_values(self):
        self.search(RATES, "--trials", "11")
        trial = self.study().ask()
        trial.suggest_float("algorithm.learning_rate", 1e-4, 0.5, log=True)
        self.search(RATES, "--trials", "12")
        self.assert_whole(12)

    def test_goes_on_when_it_was_interrupted(self):
        words = self.words(RATES, "--trials", "3", "--set",
                           "stop.epochs=100000")
        search = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.wait_for(lambda: len(list(self.out.glob("runs/*/metrics.jsonl"))) == 2)
        time.sleep(0.5)
        search.send_signal(signal.SIGINT)
        output, complaints = search.communicate(timeout=60)
        self.assertEqual(130, search.returncode, output + complaints)
        self.assertIn(b"3 to do", output)
        self.assertEqual(2, len([e for e in self.events("run") if e["state"] == "interrupted"]))
        self.assertEqual(["RUNNING"] * 2, [t.state.name for t in self.study().trials])

    def wait_for(self, what) -> None:
        for _ in range(600):
            if what():
                return
            time.sleep(0.1)
        self.fail("waited for a minute")

    # Pruning. -------------------------------------------------------------------------------------

    def test_a_bad_run_is_ended_early(self):
        arguments = ["--pruner", "halving", "--set", "stop.epochs=300", "--set",
                     "evaluate.every.epochs=10"]
        self.search(RATES.replace("1e-4", "1e-9"), "--trials", "1", *arguments)
        for rate in (0.1, 1e-9):
            self.study().enqueue_trial({"algorithm.learning_rate": rate, "algorithm.tau": "4"})
        sweep = RATES.replace("1e-4", "1e-9").replace("concurrent = 2", "concurrent = 1")
        done = self.search(sweep, "--trials", "3", *arguments)
        first, good, bad = self.study().trials
        self.assertEqual(["COMPLETE", "COMPLETE", "PRUNED"],
                         [t.state.name for t in (first, good, bad)])
        [run] = bad.user_attrs["runs"]
        self.assertEqual(["running", "stopped_early"], self.states(run))
        self.assertEqual("interrupted", self.summary(run)["status"])
        self.assertLess(self.summary(run)["epochs"], 250)
        self.assertIn("trial 2: pruned after evaluation 1:", done.stderr)
        self.assertEqual([], self.checkpoints(run))
        # It is known, and not made again.
        self.study().enqueue_trial({"algorithm.learning_rate": 1e-9, "algorithm.tau": "4"})
        self.search(sweep, "--trials", "4", *arguments)
        self.assertEqual("PRUNED", self.study().trials[3].state.name)
        self.assertEqual(["running", "stopped_early"], self.states(run))

    def enqueue(self, study=None, **rates) -> None:
        (study or self.study()).enqueue_trial(
            {f"algorithm.{key}": value for key, value in rates.items()})

    def checkpoints(self, run: str) -> list[Path]:
        return list((self.out / "runs" / run / "checkpoints").glob("*"))

    def test_early_stop_of_the_file_prunes_at_its_rungs(self):
        sweep = """
            base = "base.toml"
            concurrent = 1
            early_stop = {eta = 2, first = {epochs = 20}, metric = "train_loss"}
            axes."algorithm.learning_rate" = [0.02, 0.01, 1e-8, 1e-9]
            """
        arguments = ["--set", "stop.epochs=300", "--set", "evaluate.every.epochs=10"]
        # Runs that are done already set the bar, at the rungs 20, 40, 80 ... that they passed.
        done_before = sweep.replace(", 1e-8, 1e-9", "").replace("early_stop", "# early_stop")
        (self.root / "grid.toml").write_text(done_before)
        subprocess.run([PROGRAM, "sweep", self.root / "grid.toml", "--out", self.out, *arguments],
                       capture_output=True, check=True)
        self.search(sweep, "--trials", "1", *arguments)
        for rate in ("0.02", "0.01"):
            self.enqueue(learning_rate=rate)
        self.search(sweep, "--trials", "3", *arguments)
        good = self.study().trials[1]
        self.assertEqual("COMPLETE", good.state.name)
        [run] = good.user_attrs["runs"]
        lines = (self.out / "runs" / run / "metrics.jsonl").read_text().splitlines()
        told = {round(1000 * e["epoch"]): e["train_loss"] for e in map(json.loads, lines)
                if e["event"] == "evaluation"}
        self.assertEqual(told, good.intermediate_values)
        self.assertEqual(1, self.states(run).count("running"))
        # A rate that learns nothing is among the worse half.
        drawn = self.study().trials[0].params["algorithm.learning_rate"]
        bad = "1e-09" if drawn == "1e-08" else "1e-08"
        self.enqueue(learning_rate=bad)
        done = self.search(sweep, "--trials", "4", *arguments)
        pruned = self.study().trials[3]
        self.assertEqual("PRUNED", pruned.state.name, done.stderr)
        self.assertIn("trial 3: pruned after evaluation 2:", done.stderr)
        # An edited rule has a study of its own: what it compares is not what the other has told.
        self.search(sweep.replace("train_loss", "test_loss"), "--trials", "1", *arguments)
        self.assertEqual([1, 4], sorted(len(study.trials) for study in self.studies()))
        # So has the command line, which goes before the file. The run begins anew.
        [run] = pruned.user_attrs["runs"]
        self.assertEqual([], self.checkpoints(run))
        arguments += ["--pruner", "none"]
        self.search(sweep, "--trials", "1", *arguments)
        whole = self.studies()[-1]
        self.enqueue(whole, learning_rate=bad)
        self.search(sweep, "--trials", "2", *arguments)
        self.assertEqual("COMPLETE", whole.trials[1].state.name)
        self.assertEqual(["running", "stopped_early", "running", "done"], self.states(run))
        self.assertEqual(300, self.summary(run)["epochs"])
        self.assertEqual(0, self.summary(run)["restarts"])

    def test_other_rules_to_compare_by_have_studies_of_their_own(self):
        sys.path.insert(0, str(ROOT / "tools"))
        sys.dont_write_bytecode = True
        loader = SourceFileLoader("search", str(ROOT / "tools/search"))
        search = module_from_spec(spec_from_loader("search", loader))
        loader.exec_module(search)
        optuna = search.import_optuna()
        options = search.options_of(["sweep.toml", "--trials", "1"])
        start = {"name": "x", "folder": str(self.root), "groups": [], "base": "", "adapt": False,
                 "seeds": [], "require": []}
        rule = {"eta": 2, "first": "epochs=1", "metric": "test_loss"}
        rules = [rule, rule | {"eta": 3}, rule | {"first": "steps=1"},
                 rule | {"metric": "test_error"}]

        def name(early_stop: dict | None, pruner: str | None) -> str:
            pruning = search.pruning_of(early_stop, pruner)
            return search.open_study(optuna, start, pruning, options).study_name

        names = [name(early_stop, None) for early_stop in rules]
        names += [name(None, pruner) for pruner in ("median", "halving", "none")]
        self.assertEqual(7, len(set(names)))
        self.assertEqual(names[0], name(dict(rule), None))
        # What is not compared by makes no difference.
        self.assertEqual(names[4], name(None, None))
        self.assertEqual(names[6], name(rule, "none"))

    def test_a_trial_at_its_end_is_not_pruned_and_a_lost_loss_is_never_the_best(self):
        self.out.mkdir()
        self.write_program(PLAYED)
        program = ["--program", str(self.root / "easgd")]
        self.search(RATES, "--trials", "1", *program)
        for x in ("0", "1", "2", "0"):
            self.study().enqueue_trial({"x": x})
        self.search(RATES, "--trials", "5", *program)
        _, good, late, lost, again = self.study().trials
        self.assertEqual(["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"],
                         [t.state.name for t in (good, late, lost, again)])
        self.assertEqual({1000: 0.1, 2000: 0.5}, late.intermediate_values)
        self.assertEqual({1000: float("inf")}, lost.intermediate_values)

    def write_program(self, text: str) -> None:
        program = self.root / "easgd"
        program.write_text(text.replace("PROGRAM", repr(str(PROGRAM))))
        program.chmod(0o755)

    def test_a_decision_to_prune_outlives_a_kill(self):
        sweep = RATES.replace("1e-4", "1e-9").replace("concurrent = 2", "concurrent = 1")
        arguments = ["--pruner", "halving", "--set", "stop.epochs=300", "--set",
                     "evaluate.every.epochs=10"]
        self.search(sweep, "--trials", "1", *arguments)
        self.enqueue(learning_rate=0.1, tau="4")
        self.search(sweep, "--trials", "2", *arguments)
        # Killed before it has noted the decision, and then before the program hears of it.
        self.enqueue(learning_rate=1e-9, tau="4")
        (self.root / "sitecustomize.py").write_text(KILLED_AT_NOTE)
        self.write_program(KILLED_AT_STOP)
        self.search(sweep, "--trials", "3", *arguments, code=-signal.SIGKILL,
                    env=os.environ | {"PYTHONPATH": str(self.root)})
        self.assertNotIn("pruned_at", self.study().trials[2].user_attrs)
        killed = ["--trials", "3", *arguments, "--program", str(self.root / "easgd")]
        self.search(sweep, *killed, code=-signal.SIGKILL)
        self.assertEqual("RUNNING", self.study().trials[2].state.name)
        done = self.search(sweep, "--trials", "3", *arguments)
        self.assertIn("trial 2: pruned after evaluation 1:", done.stderr)
        [run] = self.study().trials[2].user_attrs["runs"]
        # It did not begin once more to be told.
        self.assertEqual(2, self.states(run).count("running"))
        self.assertEqual("stopped_early", self.states(run)[-1])
        self.assertEqual([], self.checkpoints(run))

    def test_a_stop_in_the_last_evaluation_comes_too_late(self):
        (self.root / "sweep.toml").write_text(SLOW_END)
        program = subprocess.Popen([PROGRAM, "sweep", self.root / "sweep.toml", "--out", self.out,
                                    "--ask"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)

        def say(**line) -> None:
            print(json.dumps(line), file=program.stdin, flush=True)

        say(plan=0, group=0, points=[0])
        program.stdout.readline()
        [run] = json.loads(program.stdout.readline())["runs"]
        self.assertEqual({"epochs": 2}, run["end"])
        say(run=run["identity"])
        # Written before that evaluation, in case a signal ends it.
        self.wait_for((self.out / run["folder"] / "summary.json").exists)
        say(stop=run["identity"])
        states = [json.loads(program.stdout.readline())["state"]]
        while states[-1] == "running":
            states.append(json.loads(program.stdout.readline())["state"])
        program.communicate()
        self.assertEqual("done", states[-1])
        self.assertEqual("done", self.summary(run["identity"])["status"])
        self.assertEqual(["running", "interrupted", "running", "done"],
                         self.states(run["identity"]))

    # What a sweep file says. ----------------------------------------------------------------------

    def test_groups_zipped_keys_steps_seeds_and_adapt(self):
        sweep = """
base = "base.toml"
seeds = [3, 5]
adapt = true
[set]
stop.epochs = 0.5
[axes]
workers.batch = {min = 8, max = 33, step = 8}
[[group]]
algorithm.name = "easgd"
[[group.zip]]
algorithm.tau = [1, 16]
algorithm.learning_rate = [0.01, 0.2]
[[group]]
algorithm.name = ["downpour", "msgd"]
algorithm.learning_rate = {min = 0.001, max = 0.01}
"""
        self.search(sweep, "--trials", "1", "--pruner", "none")
        method, rate = "group 1: algorithm.name", "group 1: algorithm.learning_rate"
        for params in ({"group": 0, "group 0: algorithm.tau+algorithm.learning_rate": "16, 0.2"},
                       {"group": 1, method: "downpour"}, {"group": 1, method: "msgd", rate: 0.002}):
            self.study().enqueue_trial(params)
        self.search(sweep, "--trials", "6", "--pruner", "none")
        self.assertEqual(6, len(self.study().trials))
        groups = set()
        for trial in self.study().trials:
            configs = [self.config(run) for run in trial.user_attrs["runs"]]
            self.assertEqual([3, 5], [c["seed"] for c in configs])
            errors = [self.summary(run)["test_error"] for run in trial.user_attrs["runs"]]
            self.assertEqual(sum(errors) / 2, trial.value)
            self.assertEqual(0.5, configs[0]["stop"]["epochs"])
            self.assertIn(configs[0]["workers"]["batch"], (8, 16, 24, 32))
            algorithm = configs[0]["algorithm"]
            groups.add(algorithm["name"])
            if algorithm["name"] == "easgd":
                self.assertIn((algorithm["tau"], algorithm["learning_rate"]),
                              ((1, 0.01), (16, 0.2)))
            else:
                self.assertTrue(0.001 <= algorithm["learning_rate"] <= 0.01)
            if algorithm["name"] == "msgd":
                self.assertEqual(1, len(configs[0]["workers"]["devices"]))
        self.assertEqual({"easgd", "downpour", "msgd"}, groups)

    def test_the_first_seed_goes_ahead(self):
        self.search("seeds = 2\n" + RATES, "--trials", "2")
        for trial in self.study().trials:
            first, second = trial.user_attrs["runs"]
            order = [(e["identity"], e["state"]) for e in self.events("run")]
            self.assertLess(order.index((first, "done")), order.index((second, "running")))

    def test_combinations_that_require_leaves_out_do_not_count(self):
        sweep = RATES + 'require = "algorithm.tau * algorithm.learning_rate <= 0.01"\n'
        self.search(sweep.replace("\nconcurrent", '\nmethod = "random"\nruns = 6\nconcurrent'))
        kept = [t for t in self.study().trials if "excluded" not in t.user_attrs]
        self.assertEqual(6, len(kept))
        self.assertGreater(len(self.study().trials), 6)
        for trial in kept:
            rate, tau = (trial.params[f"algorithm.{key}"] for key in ("learning_rate", "tau"))
            self.assertLessEqual(int(tau) * rate, 0.01)
        self.assertIn("6 trials: 6 done", self.search(sweep, "--trials", "6").stdout)
        nothing = RATES + 'require = "algorithm.tau > 16"\n'
        done = self.search(nothing, "--trials", "1", code=2)
        self.assertRegex(done.stderr, r"^tools/search: .*sweep.toml: require: leaves out")

    def test_a_sweep_knows_the_runs_of_a_search(self):
        sweep = RATES.replace('{min = 1e-4, max = 0.5, scale = "log"}', "[0.01, 0.1]")
        self.search(sweep, "--trials", "8", "--pruner", "none")
        known = {run for trial in self.study().trials for run in trial.user_attrs["runs"]}
        self.assertLess(len(known), 8)  # of 6 combinations; what is known is not made again
        for run in known:
            self.assertEqual(1, self.states(run).count("running"))
        done = subprocess.run([PROGRAM, "sweep", self.root / "sweep.toml", "--out", self.out],
                              capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(f"{len(known)} of 6 runs are done already", done.stderr)

    def test_an_edited_file_has_a_study_of_its_own(self):
        self.search(RATES, "--trials", "2")
        self.search(RATES.replace("16]", "32]"), "--trials", "1")
        self.search(RATES, "--trials", "3")
        self.assertEqual([1, 3], sorted(len(study.trials) for study in self.studies()))

    # What goes wrong. -----------------------------------------------------------------------------

    def test_a_trial_that_fails_is_told_and_made_once_more_by_the_next_search(self):
        sweep = RATES + '[set]\ndata.set = "mnist"\n'
        data = self.root / "data"
        arguments = ["--trials", "1", "--set", "data.samples=", "--set", f"data.dir={data}"]
        done = self.search(sweep, *arguments, code=1)
        self.assertIn("1/1 trial 0: failed: ", done.stderr)
        self.assertIn(str(data), done.stderr)
        self.search(sweep, *arguments, code=1)
        first, again = self.study().trials
        self.assertEqual(("FAIL", "FAIL"), (first.state.name, again.state.name))
        self.assertEqual(first.params, again.params)

    def test_a_run_that_others_end_has_no_value(self):
        words = self.words(RATES, "--trials", "1", "--set", "stop.epochs=100000")
        search = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for attempt in (1, 2):
            self.wait_for(lambda: self.runs_of(search.pid, attempt))
            os.kill(self.runs_of(search.pid, attempt)[0], signal.SIGTERM)
        output, complaints = search.communicate(timeout=60)
        self.assertEqual(1, search.returncode, output + complaints)
        self.assertEqual("FAIL", self.study().trials[0].state.name)
        self.assertIn("1/1 trial 0: failed: was interrupted", complaints)

    def runs_of(self, search: int, attempt: int) -> list[int]:
        """Processes of runs that have an evaluation, and have gone on in a second attempt."""
        begun = (self.out / "manifest.jsonl").exists() and len(
            [e for e in self.events("run") if e["state"] == "running"])
        said = "".join(p.read_text() for p in self.out.glob("runs/*/metrics.jsonl"))
        if begun != attempt or '"evaluation"' not in said or said.count('"resume"') < attempt - 1:
            return []
        return [p for p in descendants(search)
                if b"\0train\0" in Path(f"/proc/{p}/cmdline").read_bytes()]

    def test_a_run_that_fails_without_a_word(self):
        self.out.mkdir()
        self.write_program(SILENT)
        program = str(self.root / "easgd")
        done = self.search(RATES, "--trials", "1", "--program", program, code=1)
        self.assertIn("1/1 trial 0: failed: failed\n", done.stderr)

    def test_wrong_files_and_arguments_are_one_line(self):
        for wrong, told in (
                ('axes."algorithm.tauu" = [1]', r'sweep.toml:\d+: algorithm.tauu: .*"tau"'),
                ('axes."algorithm.name" = ["easgd", "easgdd"]', r"sweep.toml:\d+: .*easgdd"),
                ('axes."workers.batch" = {min = 0, max = 8}', r"sweep.toml:\d+: workers.batch"),
                ('axes."algorithm.tau" = [1', r"sweep.toml:\d+")):
            done = self.search('base = "base.toml"\n' + wrong, "--trials", "1", code=2)
            self.assertRegex(done.stderr, rf"\A.*{told}.*\n\Z")
            self.assertFalse(self.out.exists())
        done = self.search(RATES, code=2)
        self.assertRegex(done.stderr, r"\A.*say how many trials with --trials\n\Z")
        self.assertFalse(self.out.exists())

    def test_a_folder_has_one_search_at_a_time(self):
        words = self.words(RATES, "--trials", "1", "--set", "stop.epochs=100000")
        first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for(lambda: list(self.out.glob("runs/*/metrics.jsonl")))
        done = self.search(RATES, "--trials", "1", code=2)
        self.assertRegex(done.stderr, r"\A.*: a sweep is at work in it\n\Z")
        first.terminate()
        self.assertEqual(130, first.wait(timeout=60))

    def test_a_damaged_study_is_told(self):
        self.search(RATES, "--trials", "1")
        (self.out / "search.db").write_text("no data base")
        done = self.search(RATES, "--trials", "1", code=3)
        self.assertRegex(done.stderr, r"\Atools/search: .*search.db: .*\n\Z")
        # Its program has left the folder.
        with open(self.out / "manifest.jsonl", "rb") as manifest:
            fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_a_result_that_nobody_can_read_is_told(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run(self.words(RATES, "--trials", "1", "--quiet"), stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertEqual("tools/search: the result cannot be written: No space left on device\n",
                         done.stderr)

    def test_without_optuna(self):
        (self.root / "optuna.py").write_text("raise ModuleNotFoundError('No module optuna')")
        done = self.search(RATES, "--trials", "1", code=4,
                           env=os.environ | {"PYTHONPATH": str(self.root)})
        self.assertRegex(done.stderr, r"\Atools/search: needs Optuna: .*python3-optuna.*\n\Z")


if __name__ == "__main__":
    PROGRAM = Path(sys.argv.pop(1)).resolve()
    try:
        import optuna  # noqa: F401
    except ImportError:
        print("skipped: needs Optuna; tools/install --tests installs python3-optuna")
        sys.exit(SKIPPED)
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1))
