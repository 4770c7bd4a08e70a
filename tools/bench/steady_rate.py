"""How fast the program trains once it is under way, for the benchmarks beside this file."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGER = 4
# A process that keeps a core busy as long as its parent lives.
BUSY = [sys.executable, "-c", "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"]


def positive(text: str) -> int:
    """For argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'expected a number from 1, found "{text}"')
    return int(text)


def run_tool(name: str, main) -> None:
    """Ends the process with what main returns, or with the complaint and the exit code of what it called."""
    try:
        sys.exit(main())
    except FileNotFoundError as error:
        sys.exit(f"{name}: {error.filename}: not there (tools/build makes build/easgd)")
    except subprocess.CalledProcessError as error:
        output = error.stderr or b""
        text = (output if isinstance(output, str) else output.decode()).strip() or str(error)
        print(f"{name}: {text.splitlines()[-1]}", file=sys.stderr)
        sys.exit(max(error.returncode, 1))


def set_words(settings: list[str]) -> list[str]:
    """As arguments of easgd."""
    return [word for setting in settings for word in ("--set", setting)]


def train(config: str, settings: list[str], steps: int) -> tuple[float, float]:
    """Images of all workers, and the seconds they took. Built-in data, which never end, and no evaluation
    but the last. Raises subprocess.CalledProcessError with the program's complaint in stderr."""
    settings = ["data.set=synthetic", "data.test_limit=200", "network.statistics_samples=200", "evaluate.every.seconds=1e6",
                "stop.epochs=1e6", f"stop.steps={steps}", *settings]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [ROOT / "build/easgd", "train", ROOT / "configs" / config, "--out", run, *set_words(settings)]
        subprocess.run(command, check=True, capture_output=True)
        summary = json.loads((run / "summary.json").read_text())
        seconds = summary["wall_seconds"]
        return seconds * summary["images_per_second"], seconds


def steady_rate(config: str, settings: list[str], steps: int) -> float:
    """Images a second, from what a run of LONGER times `steps` takes longer than one of `steps`: what
    happens once (kernels that are loaded, graphs that are recorded, data on their way) does not count."""
    (few, short), (many, long) = (train(config, settings, n) for n in (steps, LONGER * steps))
    if long <= short:
        sys.exit(f"tools/bench: {steps} steps are too few to be timed; more are needed")
    return (many - few) / (long - short)
