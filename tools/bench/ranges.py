"""What a machine can do, and what a run spends on what by the ranges that profilers see, for the benchmarks beside
this file."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from steady_rate import ROOT, set_words


def machine() -> dict:
    """What tests/machine prints. It is built, and with it the suite's listener (tests/range_listener.cpp).
    Raises subprocess.CalledProcessError where NVIDIA's headers are missing, of which the listener is made."""
    subprocess.run(["ninja", "-C", ROOT / "build", "tests/machine", "tests/librange_listener.so"], check=True,
                   capture_output=True)
    return json.loads(subprocess.run([ROOT / "build/tests/machine"], check=True, capture_output=True).stdout)


@dataclass
class Range:
    """All of a name, of all threads."""
    count: int = 0
    seconds: float = 0.0
    first: float = math.inf  # began so many seconds after the program


def ranges_of(config: str, settings: list[str]) -> dict[str, Range]:
    """Of a run, by the last name of their paths, but for those within an evaluation on its own thread (what other
    threads do for it counts). machine() must have been called. Raises subprocess.CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        words = [ROOT / "build/easgd", "train", ROOT / "configs" / config, "--out", f"{folder}/run", *set_words(settings)]
        listening = {"NVTX_INJECTION64_PATH": str(ROOT / "build/tests/librange_listener.so"),
                     "RANGE_LOG": f"{folder}/ranges.json"}
        subprocess.run(words, check=True, capture_output=True, env=os.environ | listening)
        log = json.loads(Path(folder, "ranges.json").read_text())
    found: dict[str, Range] = {}
    for path, seconds in log["seconds"].items():
        names = re.split("[:/]", path)
        if "evaluate" in names:
            continue
        one = found.setdefault(names[-1], Range())
        one.count += log["ranges"][path]
        one.seconds += seconds
        one.first = min(one.first, log["first"][path])
    return found
