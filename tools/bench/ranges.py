"""What a run spends on what, by the ranges that profilers see, for the benchmarks beside this file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from steady_rate import ROOT


@dataclass
class Range:
    """All of a name, of all threads."""
    count: int = 0
    seconds: float = 0.0


def ranges_of(config: str, settings: list[str]) -> dict[str, Range]:
    """Of a run, by the last name of their paths, but for those within an evaluation. The suite's listener counts
    them (tests/range_listener.cpp): it must be built. Raises subprocess.CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        words = [ROOT / "build/easgd", "train", ROOT / "configs" / config, "--out", f"{folder}/run"]
        for setting in settings:
            words += ["--set", setting]
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
    return found
