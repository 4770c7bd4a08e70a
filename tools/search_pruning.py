"""Which trials of a search are not worth their whole length.

What is decided follows from what the trials have told of their evaluations, and from nothing else:
a search that was killed decides the same again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import mean

from asked_sweep import WORST

PARTS = 1000  # of an epoch, in which evaluations are told apart at rungs


@dataclass
class Halving:
    """A pruner: at each rung the best 1/eta of all that have come to it go on, or the best one."""
    first: float  # rung; each further one is eta times as far
    eta: int

    def prune(self, study, trial) -> bool:
        """At the evaluation that was told last. One that comes to several rungs is judged at the
        farthest."""
        rung = self.rung_of(trial)
        if rung is None:
            return False
        others = (result_at(rung, other) for other in study.get_trials(deepcopy=False)
                  if other.number != trial.number)
        value = trial.intermediate_values[trial.last_step]
        values = sorted([value, *(other for other in others if other is not None)])
        return not math.isfinite(value) or value > values[max(1, len(values) // self.eta) - 1]

    def rung_of(self, trial) -> int | None:
        *before, last = sorted(trial.intermediate_values)
        found, level = None, 0
        while (rung := max(1, round(self.first * self.eta**level))) <= last:
            found = rung
            level += 1
        return found if found and not (before and before[-1] >= found) else None


def result_at(rung: int, trial) -> float | None:
    """Of the first evaluation at the rung or behind it. A trial that has come to its end before
    counts there as it ended."""
    told = trial.intermediate_values
    if trial.state.name == "FAIL":
        return None
    if behind := [step for step in told if step >= rung]:
        return told[min(behind)]
    return told[max(told)] if told and trial.state.name == "COMPLETE" else None


@dataclass
class Pruning:
    """What trials are compared by on their way: by the file's `early_stop`, or evaluation by
    evaluation."""
    kind: str  # early_stop, or as in --pruner
    early_stop: dict | None = None

    @property
    def unit(self) -> str | None:
        return self.early_stop["first"].split("=")[0] if self.early_stop else None

    def step(self, evaluation: dict, number: int) -> int:
        """How far the run has come."""
        if self.unit == "epochs":
            return round(PARTS * evaluation["epoch"])
        return round(mean(evaluation["steps"])) if self.unit == "steps" else number

    def value(self, evaluation: dict) -> float:
        metric = self.early_stop["metric"] if self.early_stop else "test_error"
        if evaluation["test_loss"] is None or evaluation[metric] is None:  # the loss is lost
            return math.inf if self.early_stop else WORST
        return evaluation[metric]

    def pruner(self, optuna):
        if self.early_stop:
            first = float(self.early_stop["first"].split("=")[1])
            return Halving(first * (PARTS if self.unit == "epochs" else 1), self.early_stop["eta"])
        if self.kind == "halving":
            return Halving(1, 3)
        return optuna.pruners.NopPruner() if self.kind == "none" else optuna.pruners.MedianPruner()


def pruning_of(early_stop: dict | None, pruner: str | None) -> Pruning:
    """The command line goes before the file."""
    if early_stop and not pruner:
        return Pruning("early_stop", early_stop)
    return Pruning(pruner or "median")
