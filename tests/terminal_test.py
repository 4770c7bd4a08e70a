#!/usr/bin/python3
"""tests/terminal_test.py EASGD: what a person sees of a training, in a real terminal emulator (tmux).

EASGD is the program. Exit code 77: there is no tmux.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "easgd"
SKIPPED = 77
PATIENCE = 60  # seconds

BAR = re.compile(r"\d % \| \d+:\d\d")
VIEW = re.compile(r"\d % \| \d+:\d\d \| epoch|^center: |^worker +steps|^ +\d+ +\d+ +[\d.-]+ |^and \d+ more: ",
                  re.M)


class Terminal:
    """A shell in a window of its own; its prompt is "ready $code>"."""

    def __init__(self, columns: int, rows: int, term: str = ""):
        self.socket = f"easgd-test-{os.getpid()}-{time.monotonic_ns()}"
        shell = "PS1='ready $?>' exec bash --norc --noprofile -i"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), shell)
        self.resize(columns, rows)  # no status line takes a row of it
        self.wait(lambda: "ready 0>" in self.screen())
        if term:
            self.type(f"export TERM={term}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")

    def tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self.socket, *words], capture_output=True, text=True,
                              check=True)
        return done.stdout

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def type(self, line: str) -> None:
        """Waits until the line is echoed, so that the prompt before it is not taken for the next."""
        self.tmux("send-keys", "-l", line)
        self.wait(lambda: self.screen().replace("\n", "").endswith(line[-8:]))
        self.tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        self.tmux("send-keys", key)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p").rstrip("\n")

    def everything(self) -> str:
        """With what has scrolled away."""
        return self.tmux("capture-pane", "-p", "-S", "-").rstrip("\n")

    def shows_cursor(self) -> bool:
        return self.tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def wait(self, condition) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain before:\n{self.screen()}")
            time.sleep(0.05)

    def wait_for_end(self, code: int) -> None:
        self.wait(lambda: self.screen().endswith(f"ready {code}>"))


def training(out: Path, workers: int, *more: str) -> str:
    devices = "[" + ", ".join(['"cpu"'] * workers) + "]"
    settings = [f"workers.devices={devices}", "workers.threads=1", "data.limit=2000",
                "data.test_limit=500", "stop.epochs=1000000", "evaluate.every.epochs=",
                "evaluate.every.seconds=0.3"]
    words = [str(PROGRAM), "train", str(ROOT / "configs/synthetic_logistic.toml"), "--out",
             str(out), *more]
    for setting in settings:
        words += ["--set", setting]
    return shlex.join(words)


class View(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name, "run")

    def settle(self, terminal: Terminal, columns: int, rows: int, workers: int) -> str:
        """The screen once it shows a whole view, which fits."""
        screen, view = "", [""]

        def is_whole() -> bool:
            nonlocal screen, view
            screen = terminal.screen()
            lines = screen.split("\n")
            view = lines[next((i for i, line in enumerate(lines) if BAR.search(line)), 0):]
            return len(view) > 2 and view[1].startswith("center: error") and (
                sum(bool(re.match(r" +\d+ +\d", line)) for line in view) == workers
                or view[-1].startswith("and "))

        terminal.wait(is_whole)
        self.assertLess(len(view), rows)
        for line in view:
            self.assertLess(len(line), columns)
        return screen

    def assert_one_view(self, screen: str) -> None:
        for part in (r"\d % \| \d+:\d\d", r"^center: ", r"^worker "):
            self.assertEqual(1, len(re.findall(part, screen, re.M)), screen)

    def assert_clean(self, terminal: Terminal) -> None:
        self.assertIsNone(VIEW.search(terminal.everything()), terminal.everything())
        self.assertTrue(terminal.shows_cursor())
        terminal.type("echo st''ill h''ere")
        terminal.wait(lambda: "still here" in terminal.screen())

    def test_a_common_terminal(self):
        with Terminal(80, 24) as terminal:
            terminal.type(training(self.out, 3))
            screen = self.settle(terminal, 80, 24, 3)
            self.assert_one_view(screen)
            self.assertIn("staleness", screen)
            self.assertIn("phase", screen)
            self.assertRegex(screen, r"test loss \d")  # of an evaluation's line, above the view
            terminal.press("C-c")
            terminal.wait_for_end(130)
            self.assertIn("stopping, saving and testing the center", terminal.everything())
            self.assert_clean(terminal)

    def test_a_small_terminal_and_many_workers(self):
        with Terminal(40, 10) as terminal:
            terminal.type(training(self.out, 16))
            screen = self.settle(terminal, 40, 10, 16)
            self.assert_one_view(screen)
            self.assertRegex(screen, r"and \d+ more: ")
            terminal.press("C-c")
            terminal.wait_for_end(130)
            self.assert_clean(terminal)

    def test_resizing(self):
        with Terminal(80, 24) as terminal:
            terminal.type(training(self.out, 6))
            self.settle(terminal, 80, 24, 6)
            for columns, rows in ((40, 10), (100, 30), (50, 30), (80, 12), (80, 24)):
                terminal.resize(columns, rows)
                time.sleep(1)  # so that it is drawn for the new size, and more than once
                self.settle(terminal, columns, rows, 6)
                self.assert_one_view(terminal.everything())
            terminal.press("C-c")
            terminal.wait_for_end(130)
            self.assert_clean(terminal)

    def test_a_view_that_does_not_fit_when_it_is_wrapped(self):
        with Terminal(80, 12) as terminal:
            terminal.type(training(self.out, 6))
            self.settle(terminal, 80, 12, 6)
            terminal.resize(25, 8)
            time.sleep(1)
            self.assert_one_view(self.settle(terminal, 25, 8, 6))
            terminal.press("C-c")
            terminal.wait_for_end(130)
            self.assertIsNone(VIEW.search(terminal.screen()), terminal.screen())

    def test_a_failure(self):
        with Terminal(80, 24) as terminal:
            terminal.type(training(self.out, 2))
            self.settle(terminal, 80, 24, 2)
            (self.out / "order.bin").mkdir()  # in the way of what is written in the end
            terminal.press("C-c")
            terminal.wait_for_end(3)
            self.assertIn("order.bin: cannot be written", terminal.everything())
            self.assert_clean(terminal)

    def test_stopped_and_continued(self):
        with Terminal(80, 24) as terminal:
            terminal.type(training(self.out, 2))
            self.settle(terminal, 80, 24, 2)
            terminal.press("C-z")
            terminal.wait(lambda: "Stopped" in terminal.screen())
            self.assertTrue(terminal.shows_cursor())
            terminal.type("clear; fg")
            self.assert_one_view(self.settle(terminal, 80, 24, 2))
            terminal.press("C-c")
            terminal.wait_for_end(130)

    def test_quiet(self):
        with Terminal(80, 24) as terminal:
            terminal.type("clear; " + training(self.out, 2, "--quiet"))
            metrics = self.out / "metrics.jsonl"
            terminal.wait(lambda: metrics.exists() and "progress" in metrics.read_text())
            terminal.press("C-c")
            terminal.wait_for_end(130)
            self.assertRegex(terminal.screen(),
                             r"^\^Csynthetic-logistic: interrupted in .*(\n.*)*\nready 130>$")
            self.assert_clean(terminal)

    def test_a_terminal_that_cannot_go_back(self):
        with Terminal(80, 24, term="dumb") as terminal:
            terminal.type(training(self.out, 2))
            terminal.wait(lambda: len(BAR.findall(terminal.everything())) > 0)
            self.assertNotIn("center: ", terminal.everything())
            terminal.press("C-c")
            terminal.wait_for_end(130)


STUDY = """base = "{base}"
seeds = 4
[set]
workers.devices = "1 x cpu"
data.limit = 2000
data.test_limit = 500
evaluate.every = {{seconds = 0.3}}
[axes]
stop.epochs = [1, {last}]
"""
COUNT = re.compile(r"\d+ of 8 done \| \d+:\d\d")
ROW = re.compile(r"^(\[[#.]+\])? +\d+ %  +([\d.]+ %|-)  epochs=\d+ seed=\d$", re.M)


class SweepView(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "study.toml")
        self.out = Path(folder.name, "sweep")

    def sweep(self, last: float, *more: str) -> str:
        """Four short runs, and four of `last` epochs."""
        self.file.write_text(STUDY.format(base=ROOT / "configs/synthetic_logistic.toml", last=last))
        return shlex.join([str(PROGRAM), "sweep", str(self.file), "--out", str(self.out), *more])

    def settle(self, terminal: Terminal, columns: int) -> None:
        """Waits for a whole view, of which there is one, and which fits."""
        screen = ""

        def is_whole() -> bool:
            nonlocal screen
            screen = terminal.screen()
            return bool(COUNT.search(screen) and ROW.search(screen) and "best so far:" in screen)

        terminal.wait(is_whole)
        self.assertEqual(1, len(COUNT.findall(screen)), screen)
        self.assertEqual(1, screen.count("best so far:"), screen)
        view = screen[screen.index("best so far:"):].split("\n")
        for line in view:
            self.assertLess(len(line), columns)

    def test_it_fits_and_leaves_a_clean_screen(self):
        with Terminal(80, 24) as terminal:
            terminal.type(self.sweep(100000))
            self.settle(terminal, 80)
            terminal.resize(40, 12)
            time.sleep(1)
            self.settle(terminal, 40)
            terminal.resize(100, 30)
            time.sleep(1)
            self.settle(terminal, 100)
            terminal.press("C-c")
            terminal.wait_for_end(130)
            everything = terminal.everything()
            self.assertNotIn("best so far:", everything)
            self.assertIsNone(COUNT.search(everything), everything)
            self.assertIn("to do", everything)  # the table
            self.assertTrue(terminal.shows_cursor())

    def test_plain_lines_and_quiet(self):
        with Terminal(80, 24, term="dumb") as terminal:
            terminal.type(self.sweep(1.5))
            terminal.wait_for_end(0)
            self.assertIn("8/8 epochs=", terminal.everything().replace("\n", ""))
            terminal.type("export TERM=screen; " + self.sweep(2, "--quiet"))
            terminal.wait_for_end(0)
            said = terminal.everything().replace("\n", "").split("--quiet")[-1]
            self.assertNotIn("/8 epochs=", said)
            self.assertIn("8 of 8 runs done", said)


if __name__ == "__main__":
    if not shutil.which("tmux"):
        print("skipped: needs tmux (tools/install --tests)")
        sys.exit(SKIPPED)
    PROGRAM = Path(sys.argv.pop(1)).resolve()
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1))
