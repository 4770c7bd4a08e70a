"""The trials of a search: each is asked of Optuna, made by a sweep, and told to Optuna."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from asked_sweep import Run, SearchError, Sweep
from search_axes import named, points
from search_pruning import Pruning

LOOK = 0.1  # seconds between two looks at the runs
MOST_EXCLUDED = 1000  # combinations in a row that `require` leaves out


@dataclass
class Trial:
    optuna: object
    runs: list[Run]
    reported: int  # evaluations of the first run
    begun: int = 0  # runs
    pruned_at: int | None = None  # evaluation; the run may not have heard of it


def repeat_failed(study) -> None:
    """Trials that failed in an earlier search are to be made once more, as new ones."""
    trials = study.get_trials(deepcopy=False)
    repeated = {t.user_attrs.get("repeats") for t in trials}
    for trial in trials:
        if trial.state.name == "FAIL" and trial.number not in repeated:
            study.enqueue_trial(trial.params, user_attrs={"repeats": trial.number})


def counted(study) -> set[int]:
    """Trials that have begun, but for those that `require` left out or that were repeated."""
    trials = study.get_trials(deepcopy=False)
    repeated = {t.user_attrs.get("repeats") for t in trials}
    return {t.number for t in trials if t.state.name != "WAITING"
            and "excluded" not in t.user_attrs and t.number not in repeated}


class Search:
    def __init__(self, study, pruning: Pruning, sweep: Sweep, start: dict,
                 options: argparse.Namespace):
        self.study, self.pruning, self.sweep, self.options = study, pruning, sweep, options
        self.folder = Path(start["folder"])
        self.groups = named(start["groups"])
        self.runs: dict[str, Run] = {}
        self.active: list[Trial] = []
        self.excluded = 0  # in a row
        self.share = 0.0  # of the machine, that a run of the last trial takes
        repeat_failed(study)
        self.counted = counted(study)
        self.ended = sum(t.state.is_finished() for t in study.get_trials(deepcopy=False)
                         if t.number in self.counted)

    def run(self) -> None:
        """Until all trials have ended, or the program has."""
        self.go_on()
        while not self.sweep.ended:
            while self.may_ask():
                self.start(self.ask())
            if not self.active and not self.sweep.signals:
                return
            self.sweep.listen(LOOK)
            while self.sweep.events:
                self.take(self.sweep.events.popleft())
            for trial in list(self.active):
                self.follow(trial)

    def go_on(self) -> None:
        """Trials that were at work when the search was killed are at work again. They keep their
        values; of one that was killed before it had all, the rest is drawn at random, for the
        model of the others cannot tell it (Optuna 3.1 fails over such a trial)."""
        from optuna.samplers import RandomSampler
        from optuna.trial import Trial as OptunaTrial, TrialState

        model = self.study.sampler
        self.study.sampler = RandomSampler()  # with a seed it would draw what others have drawn
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            # What followed from the last evaluation may not be known any more.
            reported = max(0, len(frozen.intermediate_values) - 1)
            self.start(OptunaTrial(self.study, frozen._trial_id), reported,
                       frozen.user_attrs.get("pruned_at"))
        self.study.sampler = model

    def may_ask(self) -> bool:
        if self.sweep.ended or self.sweep.signals or len(self.counted) >= self.options.trials:
            return False
        load = sum(run.share for run in self.runs.values() if run.is_open)
        return load == 0 or load + self.share <= 1 + 1e-9

    def ask(self):
        trial = self.study.ask()
        self.counted.add(trial.number)
        return trial

    def start(self, trial, reported: int = 0, pruned_at: int | None = None) -> None:
        group, chosen = points(trial, self.groups)
        self.sweep.say({"plan": trial.number, "group": group, "points": chosen})
        plan = self.sweep.answer("planned")
        if plan is None:
            return
        if "refused" in plan:
            self.tell_failed(trial, plan["refused"])
        elif not plan["runs"]:
            self.exclude(trial)
        else:
            self.excluded = 0
            runs = [self.known(run) for run in plan["runs"]]
            trial.set_user_attr("runs", [run.identity for run in runs])
            trial.set_user_attr("values", label(runs[0]))
            self.share = runs[0].share
            self.active.append(Trial(trial, runs, reported, pruned_at=pruned_at))
            self.begin(self.active[-1])

    def known(self, run: dict) -> Run:
        # One that was at work when a search was killed is not at work in this one.
        state = run["state"] if run["state"] == "stopped_early" else "waiting"
        fresh = Run(run["identity"], self.folder / run["folder"], run["share"], run["values"],
                    run["end"], state)
        return self.runs.setdefault(fresh.identity, fresh)

    def exclude(self, trial) -> None:
        """`require` leaves the combination out: it is no trial, but Optuna learns of it."""
        from optuna.trial import TrialState

        trial.set_user_attr("excluded", True)
        self.study.tell(trial, state=TrialState.PRUNED)
        self.counted.discard(trial.number)
        self.excluded += 1
        if self.excluded >= MOST_EXCLUDED:
            raise SearchError(f"{self.options.sweep}: require: leaves out {MOST_EXCLUDED} "
                              "combinations in a row; ease it, or narrow the ranges", 2)

    def begin(self, trial: Trial) -> None:
        """The next runs: the first seed alone if it may be pruned, then all."""
        ahead = trial.begun == 0 and self.pruning.kind != "none"
        runs = trial.runs[:1] if ahead else trial.runs[trial.begun:]
        trial.begun += len(runs)
        for run in runs:
            stays_stopped = run.state == "stopped_early" and self.pruning.kind != "none"
            if not run.is_open and not stays_stopped:
                run.state = "asked"
                is_pruned = ahead and trial.pruned_at is not None
                stop = [{"stop": run.identity}] if is_pruned else []
                self.sweep.say({"run": run.identity}, *stop)

    def take(self, event: dict) -> None:
        run = self.runs[event["identity"]]
        run.state, run.reason = event["state"], event.get("reason", "")
        if run.state == "running":
            run.forget()

    def follow(self, trial: Trial) -> None:
        first, at_work = trial.runs[0], [r for r in trial.runs[:trial.begun] if r.is_open]
        if first.state != "asked":
            first.look()
            self.report(trial)
        if at_work:
            return
        ended = trial.runs[:trial.begun]
        if any(run.state == "stopped_early" for run in ended):
            self.tell_pruned(trial)
        elif wrong := next((run for run in ended if run.state != "done"), None):
            self.tell_failed(trial.optuna, wrong.reason or wrong.state)
            self.active.remove(trial)
        elif trial.begun < len(trial.runs):
            self.begin(trial)
        else:
            self.tell_done(trial)

    def report(self, trial: Trial) -> None:
        """Tells the evaluations of the first run, and stops it if they rule the trial out. One that
        is at its end is not stopped."""
        run = trial.runs[0]
        while trial.reported < len(run.evaluations):
            evaluation = run.evaluations[trial.reported]
            trial.reported += 1
            step = self.pruning.step(evaluation, trial.reported)
            trial.optuna.report(self.pruning.value(evaluation), step)
            may_stop = (run.state == "running" and trial.pruned_at is None
                        and not run.is_at_end(evaluation))
            if may_stop and trial.optuna.should_prune():
                trial.pruned_at = trial.reported
                # First, so that a search that is killed in between knows it.
                trial.optuna.set_user_attr("pruned_at", trial.pruned_at)
                self.sweep.say({"stop": run.identity})

    def tell_done(self, trial: Trial) -> None:
        values = [run.value(self.options.metric) for run in trial.runs]
        value = sum(values) / len(values)
        self.study.tell(trial.optuna, value)
        self.active.remove(trial)
        self.print_ended(trial.optuna, f"{100 * value:.2f} %", label(trial.runs[0]))

    def tell_pruned(self, trial: Trial) -> None:
        from optuna.trial import TrialState

        self.study.tell(trial.optuna, state=TrialState.PRUNED)
        self.active.remove(trial)
        after = trial.pruned_at or trial.reported
        self.print_ended(trial.optuna, f"pruned after evaluation {after}", label(trial.runs[0]))

    def tell_failed(self, trial, reason: str) -> None:
        from optuna.trial import TrialState

        trial.set_user_attr("reason", reason)
        self.study.tell(trial, state=TrialState.FAIL)
        self.print_ended(trial, "failed", reason)

    def print_ended(self, trial, result: str, what: str) -> None:
        self.ended += 1
        if not self.options.quiet:
            print(f"{self.ended}/{self.options.trials} trial {trial.number}: {result}: {what}",
                  file=sys.stderr)


def label(run: Run) -> str:
    return " ".join(value if key == "algorithm.name" else f"{key.rpartition('.')[2]}={value}"
                    for key, value in run.values.items() if value)
