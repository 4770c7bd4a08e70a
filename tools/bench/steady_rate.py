"""How fast the program trains once it is under way."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGER = 4


def train(config: str, settings: list[str], steps: int) -> tuple[float, dict]:
    """Images of all workers, and the run's summary.json. Built-in data, which never ends, and no
    evaluation but the last. Raises subprocess.CalledProcessError with the program's complaint in stderr."""
    settings = ["data.set=synthetic", "data.test_limit=200", "evaluate.every.seconds=1e6",
                "stop.epochs=1e6", f"stop.steps={steps}", *settings]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [ROOT / "build/easgd", "train", ROOT / "configs" / config, "--out", run]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, check=True, capture_output=True)
        summary = json.loads((run / "summary.json").read_text())
        batch = int(next((s.split("=")[1] for s in settings if s.startswith("workers.batch=")), 128))
        return batch * sum(summary["steps"]), summary


def steady_rate(config: str, settings: list[str], steps: int) -> float:
    """Images a second, from what a run of LONGER times `steps` takes longer than one of `steps`: what
    happens once (kernels that are loaded, graphs that are recorded, data on their way) does not count."""
    (few, short), (many, long) = (train(config, settings, n) for n in (steps, LONGER * steps))
    seconds = long["wall_seconds"] - short["wall_seconds"]
    if seconds <= 0:
        raise SystemExit(f"{steps} steps are too few to be timed")
    return (many - few) / seconds
