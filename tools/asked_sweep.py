"""A sweep whose runs another program asks for, one after the other: `easgd sweep --ask`."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

WORST = 1.0  # the error of a run that diverged


class SearchError(Exception):
    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class Sweep:
    """`easgd sweep --ask`: makes the runs that are asked for. docs/search.md has its lines."""

    def __init__(self, words: list[str]):
        # In a group of its own: a Ctrl-C comes to it once, from here.
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        start_new_session=True)
        self.events: deque[dict] = deque()
        self.text = b""
        self.ended = False
        self.signals: list[int] = []  # that were passed on to it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.pass_on)

    def pass_on(self, number: int, _frame) -> None:
        self.signals.append(number)
        self.process.send_signal(number)

    def say(self, *lines: dict) -> None:
        """They come to it together."""
        with contextlib.suppress(BrokenPipeError):  # what it has said last is still to be heard
            self.process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            self.process.stdin.flush()

    def listen(self, seconds: float | None) -> None:
        """Waits for events, at most so long."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready or self.ended:
            return
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        self.ended = not data
        *lines, self.text = (self.text + data).split(b"\n")
        for event in map(json.loads, lines):
            if event["event"] == "refused":
                raise SearchError(f"easgd does not take {event['line']}: {event['reason']}", 1)
            self.events.append(event)

    def answer(self, kind: str) -> dict | None:
        """The next event of that kind; the others stay. None: the program has ended."""
        while True:
            for event in self.events:
                if event["event"] == kind:
                    self.events.remove(event)
                    return event
            if self.ended:
                return None
            self.listen(None)

    def end(self) -> int:
        """Runs that are at work are interrupted, and saved. Once more: the same code."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait()


@dataclass
class Run:
    identity: str
    folder: Path
    share: float  # of the machine
    values: dict[str, str]
    end: dict[str, float]  # epochs of all workers, steps of each: those that are given
    state: str  # as in the manifest; "asked" until it begins
    reason: str = ""
    evaluations: list[dict] = field(default_factory=list)  # as in metrics.jsonl
    read: int = 0  # bytes of metrics.jsonl
    file: int = 0  # its inode: a run that goes on writes another, without what it has lost

    @property
    def is_open(self) -> bool:
        return self.state in ("asked", "running")

    def look(self) -> None:
        """Reads the evaluations that have come since."""
        try:
            with open(self.folder / "metrics.jsonl", "rb") as file:
                if (now := os.fstat(file.fileno()).st_ino) != self.file:
                    self.forget()
                    self.file = now
                file.seek(self.read)
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return
        for line in lines:
            self.read += len(line) + 1
            event = json.loads(line)
            if event["event"] == "evaluation":
                self.evaluations.append(event)

    def is_at_end(self, evaluation: dict) -> bool:
        come = {"epochs": evaluation["epoch"], "steps": min(evaluation["steps"])}
        return any(come[unit] >= end for unit, end in self.end.items())

    def forget(self) -> None:
        self.evaluations, self.read = [], 0

    def value(self, metric: str) -> float:
        summary = json.loads((self.folder / "summary.json").read_text())
        return WORST if summary["status"] == "diverged" else error_of(summary[metric])


def error_of(value: float | None) -> float:
    return WORST if value is None or not math.isfinite(value) else value
