"""What a sweep file varies, as parameters of an Optuna trial."""

from __future__ import annotations

import math


def named(groups: list[list[dict]]) -> list[list[tuple[str, dict]]]:
    """The axes of each group with their names. An axis that all have has one name in all."""
    def name(axis: dict, number: int) -> str:
        keys = "+".join(axis["keys"])
        return keys if all(axis in group for group in groups) else f"group {number}: {keys}"

    return [[(name(axis, number), axis) for axis in group] for number, group in enumerate(groups)]


def number_in(trial, name: str, low: float, high: float, log: bool, integer: bool,
              step: float) -> float:
    if step:  # the last value that the steps reach
        high = low + math.floor((high - low) / step * (1 + 1e-12)) * step
    if integer:
        return trial.suggest_int(name, round(low), round(high), step=max(1, round(step)), log=log)
    return trial.suggest_float(name, low, high, step=step or None, log=log)


def point(trial, name: str, axis: dict) -> float:
    """Which of a list, or the number of a range."""
    if "range" in axis:
        return min(number_in(trial, name, **axis["range"]), axis["range"]["high"])
    texts = [", ".join(texts) for texts in axis["points"]]
    return texts.index(trial.suggest_categorical(name, list(dict.fromkeys(texts))))


def points(trial, groups: list[list[tuple[str, dict]]]) -> tuple[int, list[float]]:
    several = len(groups) > 1
    group = trial.suggest_categorical("group", list(range(len(groups)))) if several else 0
    return group, [point(trial, name, axis) for name, axis in groups[group]]
