"""A virtual environment with packages that Debian does not have, for tests of what others read and write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SKIPPED = 77


def has(python: Path, *modules: str) -> bool:
    return subprocess.run([python, "-c", f"import {', '.join(modules)}"], capture_output=True,
                          check=False).returncode == 0


def python_with(folder: Path, *packages: str) -> Path:
    """The python of the environment in FOLDER, made if it is not there yet. If it cannot be made: exit code 77."""
    python = folder / "bin" / "python"
    if python.exists() and has(python, *packages):
        return python
    for command in ([sys.executable, "-m", "venv", folder],
                    [python, "-m", "pip", "-q", "install", *packages]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            skip(packages, "its installation takes too long")
        if done.returncode != 0:
            skip(packages, (done.stdout + done.stderr).strip().splitlines()[-1])
    return python


def skip(packages: tuple[str, ...], why: str) -> None:
    print(f"skipped: needs the Python package {packages[0]}, and it cannot be installed: {why}")
    sys.exit(SKIPPED)
