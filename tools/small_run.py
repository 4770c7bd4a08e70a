"""The small run that tools/kill and tools/powercut disturb: three workers in virtual time, so that
it ends in the same bytes whatever has happened to it. One of them fails now and then, and begins
again; the letters of another are not finite at times."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CONFIG = """
name = "small"
data = {set = "synthetic", samples = 300, test_limit = 50}
algorithm = {name = "eamsgd", tau = 3, beta = 0.6, learning_rate = 0.01}
workers = {devices = "3 x cpu", threads = 1, batch = 16, on_failure = "restart"}
debug.fail = ["worker 0 stalls PACE s every 1 steps", "worker 1 throws every 130 steps",
              "worker 2 sends NaN at step 60", "worker 2 sends NaN at step 170"]
center.order = "virtual"
virtual = {jitter = 0.3, transfer_seconds = 0.04}
stop.steps = STEPS
evaluate.every = {versions = TESTED}
checkpoint.every = {versions = EVERY}
[[network.layer]]
type = "linear"
outputs = 10
[[network.layer]]
type = "softmax_cross_entropy"
"""

SAFE = re.compile(r"version (\d+) is safe")
ENDED = "the run has come to its end"  # what a run that is over says if it is to go on
GOES_ON = re.compile(r"goes on from version (\d+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--program", type=Path, default=ROOT / "build/easgd")
    parser.add_argument("--spy", type=Path, default=ROOT / "build/tests/libdisk_spy.so",
                        help="tests/disk_spy.cpp, which `tools/build` makes")
    parser.add_argument("--seed", type=int, default=1)


class SmallRun:
    def __init__(self, options: argparse.Namespace, folder: Path, steps: int, every: int,
                 tested: int, pace: float = 0):
        """With a checkpoint every so many versions, and a test; a step takes `pace` seconds more."""
        self.program, self.spy = options.program.resolve(), options.spy.resolve()
        self.folder, self.config = folder, folder / "small.toml"
        self.config.write_text(CONFIG.replace("STEPS", str(steps)).replace("EVERY", str(every))
                               .replace("TESTED", str(tested)).replace("PACE", str(pace)))

    def start(self, run: Path, **spied: object) -> subprocess.Popen:
        """Trains in the folder `run`, or goes on there; `spied` are settings of the spy."""
        goes_on = (run / "metrics.jsonl").exists()
        words = ["--resume", run] if goes_on else [self.config, "--out", run]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        if spied:
            environment |= {"LD_PRELOAD": str(self.spy), "EASGD_SPY_FOLDER": str(run.parent)}
            environment |= {f"EASGD_SPY_{name.upper()}": str(value) for name, value in spied.items()}
        return subprocess.Popen([self.program, "train", *words], env=environment, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def events(run: Path, kind: str) -> list[dict]:
    try:
        lines = (run / "metrics.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
    except ValueError:
        return [{"damaged": str(run)}]
    return [event for event in found if event["event"] == kind]


def failures(run: Path) -> list[tuple]:
    return sorted((event["worker"], event["step"], event["then"]) for event in events(run, "failure"))


def reached(run: Path) -> int:
    """The last version that its events tell of; a torn line tells nothing."""
    version = 0
    for line in (run / "metrics.jsonl").read_bytes().splitlines():
        try:
            version = max(version, json.loads(line).get("version", 0))
        except ValueError:
            continue
    return version


def best_error(run: Path) -> float:
    data = (run / "best.safetensors").read_bytes()
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    return float(header["__metadata__"]["easgd.test_error"])


def difference(run: Path, calm: Path) -> str:
    """What a run that has ended has not in common with the undisturbed one; else nothing."""
    for name in ("center.safetensors", "order.bin"):
        if (run / name).read_bytes() != (calm / name).read_bytes():
            return f"another {name}"
    evaluations = events(run, "evaluation")
    if evaluations != events(calm, "evaluation"):
        return "other evaluations"
    if failures(run) != failures(calm):
        return "other failures"
    if best_error(run) > min(event["test_error"] for event in evaluations):
        return "a worse best.safetensors"
    left = sorted(path.name for path in run.rglob("*.new*"))
    return f"left behind: {' '.join(left)}" if left else ""
