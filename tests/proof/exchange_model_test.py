#!/usr/bin/python3
"""tests/proof/exchange_model_test.py: does every run of the exchange end, with nothing lost?

SPIN goes through all states of exchange.pml: three workers of which one fails, two with faults of
all kinds, and two of which one fails, stands still or is given up and begins again, or does not;
$EASGD_PROOF=large has more of each, in minutes. What it finds must be found: the same with something
forgotten. Exit code 77 without SPIN.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

MODEL = Path(__file__).resolve().with_name("exchange.pml")
MEGABYTES = "4096" if os.environ.get("EASGD_PROOF") == "large" else "1024"

ALL_FAULTS = ["-DFAILURES=1", "-DMASTER_FAILS=1", "-DREFUSALS=1", "-DCHECKPOINTS=1"]
ROUNDS = ["-DSYNCHRONOUS", "-DLAST_LETTER"]
HANGS = ["-DHANGS=1", "-DRESTARTS=1"]


def explore(*options: str, claim: bool = False) -> str:
    """What SPIN says of all states; `claim`: of `all_end` under weak fairness."""
    with tempfile.TemporaryDirectory() as folder:
        def call(*words: str) -> str:
            return subprocess.run(words, cwd=folder, capture_output=True, text=True,
                                  check=True).stdout

        call("spin", "-a", *options, str(MODEL))
        kind = ["-DNFAIR=3"] if claim else ["-DSAFETY", "-DNOCLAIM"]
        call("cc", "-O2", "-w", "-DCOLLAPSE", f"-DMEMLIM={MEGABYTES}", *kind, "-o", "pan", "pan.c")
        return call("./pan", "-m10000", *(["-a", "-f"] if claim else []))


class Exchange(unittest.TestCase):
    def check_sound(self, *options: str, claim: bool = False) -> None:
        with self.subTest(options=options):
            said = explore(*options, claim=claim)
            self.assertIn("errors: 0", said)
            self.assertNotIn("Search not completed", said)
            self.assertNotIn("reached max depth", said)
            if os.environ.get("EASGD_PROOF"):
                print(*options, re.findall(r"\d+ states, stored|[\d.]+\ttotal actual", said))

    def test_three_workers(self):
        self.check_sound("-DFAILURES=1")
        self.check_sound(*ROUNDS)

    def test_two_workers_with_all_faults(self):
        self.check_sound("-DWORKERS=2", *ALL_FAULTS)
        self.check_sound("-DWORKERS=2", *ROUNDS, *ALL_FAULTS)

    def test_who_fails_or_stands_still_begins_again(self):
        self.check_sound("-DWORKERS=2", "-DFAILURES=2", "-DRESTARTS=1")
        self.check_sound("-DWORKERS=2", *HANGS)
        self.check_sound("-DWORKERS=2", *HANGS, *ROUNDS, "-DCHECKPOINTS=1")
        self.check_sound("-DWORKERS=2", "-DHANGS=1", "-DMASTER_FAILS=1")
        self.check_sound("-DWORKERS=2", "-DFAILURES=1", "-DRESTARTS=1", "-DLACKS=1")

    def test_who_is_given_up_may_come_back(self):
        self.check_sound("-DWORKERS=2", "-DGIVE_UPS=1", "-DCHECKPOINTS=1")
        self.check_sound("-DWORKERS=2", "-DGIVE_UPS=1", "-DFAILURE_STOPS")
        self.check_sound("-DWORKERS=2", "-DFAILURES=1", "-DMASTER_FAILS=1", "-DFAILURE_STOPS")

    def test_every_run_ends(self):
        self.check_sound("-DWORKERS=2", "-DFAILURES=1", "-DMASTER_FAILS=1", claim=True)
        self.check_sound("-DWORKERS=2", "-DHANGS=1", "-DMASTER_FAILS=1", claim=True)

    @unittest.skipUnless(os.environ.get("EASGD_PROOF") == "large", "for EASGD_PROOF=large")
    def test_large(self):
        for fault in ALL_FAULTS[1:]:
            self.check_sound(fault)
            self.check_sound(fault, *ROUNDS)
        self.check_sound("-DWORKERS=2", "-DLETTERS=2", *ALL_FAULTS)
        self.check_sound("-DWORKERS=2", *ALL_FAULTS, "-DRESTARTS=1")
        self.check_sound("-DWORKERS=2", "-DGIVE_UPS=1", "-DRESTARTS=1")
        self.check_sound("-DWORKERS=2", *HANGS, "-DCHECKPOINTS=1")
        self.check_sound("-DWORKERS=2", *HANGS, "-DMASTER_FAILS=1")
        self.check_sound("-DWORKERS=2", *HANGS, claim=True)
        self.check_sound("-DFAILURES=1", claim=True)  # three workers: 10 minutes

    def test_mistakes_are_found(self):
        for mistake, options, found in [
                ("RINGS_NOT", [], "invalid end state"),
                ("LOOKS_BEFORE_THE_BELL", [], "invalid end state"),
                ("LEAVES_AT_ONCE", ["-DFAILURES=1"], r"assertion violated \(state"),
                ("LOSES_NOBODY", ["-DFAILURES=1"], r"is_last"),
                ("LEAVES_NOTHING", [], r"is_last"),
                ("IGNORES_MARKS", ROUNDS, r"is_last"),
                ("CLOSES_NOTHING", ["-DMASTER_FAILS=1"], "invalid end state"),
                ("WAITS_AFTER_THE_END", ["-DHANGS=1", "-DMASTER_FAILS=1"], "invalid end state"),
                ("FORGETS_THE_FAILURE", HANGS, r"is_last"),
                ("DECIDES_TOO_EARLY", ["-DLETTERS=2", "-DGIVE_UPS=1", "-DRESTARTS=1"], r"steps\["),
                ("CLOSES_WHO_IS_WITHDRAWN", ["-DGIVE_UPS=1", "-DMASTER_FAILS=1"],
                 r"assertion violated \(state"),
                ("HEARS_THE_DEAD", ["-DGIVE_UPS=1", "-DRESTARTS=1"], r"left_with")]:
            with self.subTest(mistake=mistake):
                self.assertRegex(explore("-DWORKERS=2", f"-DMISTAKE_{mistake}", *options), found)


if __name__ == "__main__":
    if not shutil.which("spin"):
        print("no spin: tools/install --tests")
        sys.exit(77)
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=2))
