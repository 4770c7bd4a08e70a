#!/usr/bin/python3
"""Do the tools keep their promises? Standard library only, a server on 127.0.0.1, no other network."""

from __future__ import annotations

import collections
import hashlib
import http.server
import importlib.machinery
import importlib.util
import json
import os
import re
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def load(name: str):
    """A tool as a module: the files have no .py ending."""
    loader = importlib.machinery.SourceFileLoader(f"tool_{name}", str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
fetch, table, plot, report = (load(name) for name in ("fetch", "table", "plot", "test_report"))


class Server(http.server.BaseHTTPRequestHandler):
    """One file; `damage` says what goes wrong."""
    content, damage, ranges = b"", "", []

    def log_message(self, *_):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        Server.ranges.append(wanted)
        start = int(wanted[len("bytes="):-1]) if wanted else 0
        body = self.content[start:]
        if self.damage == "changed":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if self.damage == "cut" else body)


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "one.bin").write_bytes(os.urandom(5000))
        with tarfile.open(self.root / "set.tar.gz", "w:gz") as tar:
            tar.add(self.root / "one.bin", "inner/one.bin")
            tar.add(self.root / "one.bin", "../escape.bin")
        Server.content = (self.root / "set.tar.gz").read_bytes()
        Server.damage, Server.ranges = "", []
        checksum = hashlib.md5(Server.content, usedforsecurity=False).hexdigest()
        self.source = fetch.Source("set", (), {"set.tar.gz": checksum}, ("one.bin",))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.base = f"http://127.0.0.1:{server.server_port}/"
        self.data = self.root / "data"

    def fetch(self, base=None):
        return fetch.fetch(self.source, self.data, (base or self.base,))

    def test_unpacks_the_wanted_files_and_nothing_else(self):
        self.assertEqual(self.fetch(), self.data / "set")
        found = [str(p.relative_to(self.data)) for p in self.data.rglob("*")]
        self.assertEqual(sorted(found), ["set", "set/one.bin"])
        self.assertEqual((self.data / "set/one.bin").read_bytes(), (self.root / "one.bin").read_bytes())

    def test_is_content_with_what_is_there(self):
        self.fetch()
        self.fetch("http://127.0.0.1:1/")

    def test_takes_files_from_a_folder(self):
        self.fetch(self.root.as_uri())
        self.assertTrue((self.data / "set/one.bin").is_file())

    def test_goes_on_where_it_broke_off(self):
        Server.damage = "cut"
        with self.assertRaisesRegex(fetch.FetchError, r"broke off after \d+ of \d+ bytes"):
            self.fetch()
        self.assertFalse((self.data / "set").exists())
        Server.damage = ""
        self.fetch()
        self.assertEqual(Server.ranges, [None, f"bytes={len(Server.content) // 2}-"])

    def test_refuses_a_damaged_file_and_leaves_nothing(self):
        Server.damage = "changed"
        with self.assertRaisesRegex(fetch.FetchError, "damaged: .* expected"):
            self.fetch()
        self.assertFalse(self.data.exists())

    def test_refuses_a_folder_that_lacks_files(self):
        (self.data / "set").mkdir(parents=True)
        with self.assertRaisesRegex(fetch.FetchError, "has no one.bin"):
            self.fetch()

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.data)) for path in self.data.rglob("*"))

    def test_removes_nothing_that_it_has_not_made(self):
        """Of another's making: all names that it would like for what is on its way."""
        theirs = self.data / ".set.part"
        (theirs / "unpacked").mkdir(parents=True)
        for name in ("notes.txt", "set.tar.gz", "unpacked/one.bin"):
            (theirs / name).write_text("mine")
        (self.data / ".set.part-1").write_text("mine")
        (self.data / ".set.part-2").symlink_to(self.root)
        before = self.names()
        for damage in ("cut", "changed", ""):
            Server.damage = damage
            if damage:
                with self.assertRaises(fetch.FetchError):
                    self.fetch()
            else:
                self.fetch()
        self.assertEqual(self.names(), sorted([*before, "set", "set/one.bin"]))
        for name in ("notes.txt", "set.tar.gz", "unpacked/one.bin"):
            self.assertEqual((theirs / name).read_text(), "mine")
        self.assertEqual((self.data / ".set.part-1").read_text(), "mine")
        self.assertTrue((self.root / "set.tar.gz").exists())

    def test_leaves_what_somebody_puts_among_its_parts(self):
        Server.damage = "cut"
        with self.assertRaises(fetch.FetchError):
            self.fetch()
        (self.data / ".set.part/notes.txt").write_text("mine")
        Server.damage = ""
        self.fetch()
        self.assertEqual((self.data / ".set.part/notes.txt").read_text(), "mine")
        self.assertEqual([path.name for path in (self.data / "set").iterdir()], ["one.bin"])

    def test_files_that_stay_packed_come_alone(self):
        self.source = fetch.Source("set", (), self.source.files)
        Server.damage = "cut"
        with self.assertRaises(fetch.FetchError):
            self.fetch()
        (self.data / ".set.part/notes.txt").write_text("mine")
        Server.damage = ""
        self.fetch()
        self.assertEqual([path.name for path in (self.data / "set").iterdir()], ["set.tar.gz"])
        self.assertEqual((self.data / "set").stat().st_mode & 0o777, 0o777 & ~fetch.mask())

    def test_replaces_no_link_and_no_folder_of_anothers(self):
        self.data.mkdir()
        (self.data / "set").symlink_to("/not/mounted")
        with self.assertRaisesRegex(fetch.FetchError, "is there but has no one.bin"):
            self.fetch()
        self.assertTrue((self.data / "set").is_symlink())
        self.data = self.root / "one.bin"
        with self.assertRaisesRegex(fetch.FetchError, "one.bin: cannot be made: there is something else"):
            self.fetch()

    def test_takes_back_the_folders_it_has_made(self):
        self.data = self.root / "new/inner/data"
        with self.assertRaises(fetch.FetchError):
            self.fetch("http://127.0.0.1:1/")
        self.assertFalse((self.root / "new").exists())

    def test_does_not_meddle_with_another_call(self):
        self.data.mkdir()
        with fetch.parts_folder(self.data, "set"):
            with self.assertRaisesRegex(fetch.FetchError, "another tools/fetch is at work"):
                self.fetch()
        self.fetch()

    def test_unpacks_zip_archives(self):
        with zipfile.ZipFile(self.root / "set.zip", "w") as packed:
            packed.write(self.root / "one.bin", "inner/one.bin")
        checksum = hashlib.md5((self.root / "set.zip").read_bytes(), usedforsecurity=False).hexdigest()
        self.source = fetch.Source("set", (), {"set.zip": checksum}, ("one.bin",))
        self.fetch(self.root.as_uri())
        self.assertEqual(self.names(), ["set", "set/one.bin"])
        self.assertEqual((self.data / "set/one.bin").read_bytes(), (self.root / "one.bin").read_bytes())

    def test_knows_every_set_of_the_program(self):
        listed = subprocess.run([ROOT / "build/easgd", "train", "configs/mnist_logistic.toml", "--set", "data.set=x"],
                                capture_output=True, text=True, cwd=ROOT).stderr
        for name in re.search(r"expected one of (.*); found", listed)[1].split(", "):
            self.assertTrue(name in fetch.SETS or fetch.SAME.get(name) in fetch.SETS or name in fetch.NOT_FETCHED, name)
        for name in fetch.NOT_FETCHED:
            told = subprocess.run([ROOT / "tools/fetch", name], capture_output=True, text=True)
            self.assertEqual((told.returncode, told.stdout, told.stderr.count("\n")), (2, "", 1))

    def test_exit_codes(self):
        program = str(ROOT / "tools/fetch")
        self.assertEqual(subprocess.run([program, "cifar11"], capture_output=True).returncode, 2)
        refused = subprocess.run([program, "mnist", self.data, "--from", "http://127.0.0.1:1"],
                                 capture_output=True, text=True)
        self.assertEqual(refused.returncode, 3)
        self.assertEqual(refused.stderr.count("\n"), 1)


def make_run(folder: Path, seed: int, errors: list[float | None], learning_rate: float = 0.1) -> Path:
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'name = "{folder.name}"\nseed = {seed}\n'
        f'[algorithm]\nname = "eamsgd"\ntau = 10\nlearning_rate = {learning_rate}\n')
    events = [{"event": "evaluation", "time": 10 * n, "epoch": n, "steps": [n, n], "test_error": e}
              for n, e in enumerate(errors, 1)]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n")
    return folder


class Plot(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def test_groups_by_everything_but_the_seed(self):
        runs = [plot.read(make_run(self.root / "a", 1, [0.5, 0.4])),
                plot.read(make_run(self.root / "b", 2, [0.5, 0.3])),
                plot.read(make_run(self.root / "c", 1, [0.5, 0.3], learning_rate=0.2))]
        groups = plot.grouped(runs)
        self.assertEqual([len(group) for group in groups], [2, 1])
        self.assertEqual([group[0].label for group in groups],
                         ["eamsgd  p=2  τ=10  learning_rate=0.1", "eamsgd  p=2  τ=10  learning_rate=0.2"])

    def test_moves_labels_apart_in_order(self):
        places = plot.spread([1.0, 1.0, 5.0, 0.9], 0.5)
        ordered = sorted(places)
        self.assertTrue(all(b - a > 0.499 for a, b in zip(ordered, ordered[1:])))
        self.assertEqual(max(range(4), key=places.__getitem__), 2)
        self.assertEqual(min(range(4), key=places.__getitem__), 3)

    def test_says_what_is_wrong_with_a_folder(self):
        for name, words in (("absent", "no such folder"), (".", "not a run folder")):
            with self.assertRaisesRegex(ValueError, words):
                plot.read(self.root / name)


    def plot(self, *arguments, **options):
        done = subprocess.run([ROOT / "tools/plot", *arguments], stderr=subprocess.PIPE, text=True,
                              **{"stdout": subprocess.PIPE} | options)
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stderr

    def test_leaves_out_a_line_that_is_no_object(self):
        run = make_run(self.root / "a", 1, [0.5])
        with (run / "metrics.jsonl").open("a") as file:
            file.write('[1]\n"evaluation"\n')
        code, complaint = self.plot(run, "-o", self.root / "p.png")
        self.assertEqual((code, complaint.count("metrics.jsonl:")), (0, 2), complaint)
        (run / "metrics.jsonl").write_text('{"event": "evaluation", "test_error": "x"}\n')
        self.assertEqual(self.plot(run)[0], 3)

    def test_takes_a_folder_of_runs_and_wants_a_file_name(self):
        make_run(self.root / "a", 1, [0.5])
        make_run(self.root / "b", 1, [0.4])
        self.assertEqual(self.plot(self.root, "-o", self.root / "p.png"), (0, ""))
        code, complaint = self.plot(self.root, "-o", "")
        self.assertEqual(code, 2)
        self.assertIn("expected the name of a file", complaint)

    def test_says_where_its_answer_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            code, complaint = self.plot(make_run(self.root / "a", 1, [0.5]), "-o", self.root / "p.png", stdout=full)
        self.assertEqual((code, complaint.count("\n")), (3, 1), complaint)

    def test_replaces_by_itself_only_its_own_picture(self):
        run = make_run(self.root / "a", 1, [0.5, 0.4])
        self.assertEqual(self.plot(run, cwd=self.root), (0, ""))
        self.assertEqual(self.plot(run, cwd=self.root), (0, ""))
        (self.root / "test_error.png").write_text("mine")
        code, complaint = self.plot(run, cwd=self.root)
        self.assertEqual((code, complaint.count("\n")), (3, 1))
        self.assertIn("name another with -o", complaint)
        self.assertEqual((self.root / "test_error.png").read_text(), "mine")
        # What cannot be drawn costs no picture that is there.
        (self.root / "p.odd").write_text("mine")
        self.assertEqual(self.plot(run, "-o", self.root / "p.odd")[0], 3)
        self.assertEqual((self.root / "p.odd").read_text(), "mine")

    def test_a_picture_that_cannot_be_written_costs_none_that_is_there(self):
        run, picture = make_run(self.root / "a", 1, [0.5, 0.4]), self.root / "p.png"
        picture.write_text("mine")
        code, complaint = self.plot(run, "-o", picture, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (2000, 2000)))
        self.assertEqual(code, 3, complaint)
        self.assertIn(f"tools/plot: {picture}: File too large\n", complaint)
        self.assertEqual(picture.read_text(), "mine")
        self.assertEqual(sorted(p.name for p in self.root.iterdir()), ["a", "p.png"])

    def test_draws_a_picture(self):
        runs = [make_run(self.root / "a", 1, [0.5, 0.4]), make_run(self.root / "b", 2, [0.6, None, 0.3])]
        picture = self.root / "new" / "picture.png"
        done = subprocess.run([ROOT / "tools/plot", *runs, "-o", picture], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, f"tools/plot: {picture}\n"), done.stderr)
        head = picture.read_bytes()[:24]
        self.assertEqual(head[:16], b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
        self.assertEqual(struct.unpack(">II", head[16:]), (1600, 700))


def make_summary(folder: Path, **values) -> Path:
    folder.mkdir(parents=True)
    summary = {"algorithm": "eamsgd", "workers": 2, "tau": 10, "best_test_error": 0.2125,
               "time_to_error": {"0.5": 3.25, "0.25": 120.4}, "images_per_second": 3406.4,
               "wall_seconds": 255.4, "status": "done"}
    (folder / "summary.json").write_text(json.dumps(summary | values))
    return folder


class PlotStability(unittest.TestCase):
    """Of tables as `easgd stability ... --csv` prints them."""
    MAP = "learning_rate,rho,spectral_radius\n" + "".join(
        f"{eta},{rho},{0.99 + eta * rho}\n" for eta in (0.001, 0.002) for rho in (1, 5, 10))
    TRAJECTORY = "activation,center\n0,1000\n10,-5\n20,1e12\n"
    MOMENTS = "step,bias,variance\n1,1,0\n10,0.5,0.8\n100,0.0003,1.05\n"

    def draw(self, **tables: str) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in tables.items():
                Path(folder, name + ".csv").write_text(text)
            done = subprocess.run([ROOT / "tools/plot", *sorted(Path(folder).iterdir()), "-o", Path(folder, "p.png")],
                                  capture_output=True, text=True)
            picture = Path(folder, "p.png")
            self.size = struct.unpack(">II", picture.read_bytes()[16:24]) if picture.exists() else None
        return done

    def test_draws_a_panel_for_each(self):
        widths = []
        for tables in ({"map": self.MAP}, {"map": self.MAP, "path": self.TRAJECTORY, "moments": self.MOMENTS}):
            done = self.draw(**tables)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            widths.append(self.size[0])
        self.assertEqual(widths[1], 3 * widths[0])

    def test_says_what_is_no_table(self):
        for text, complaint in (("a,b\n1,2\n", "neither a map"), ("step,bias\nx,1\n", "expected numbers"),
                                ("", "no rows")):
            with self.subTest(text):
                done = self.draw(odd=text)
                self.assertEqual((done.returncode, done.stderr.count("\n"), self.size), (3, 1, None))
                self.assertIn(complaint, done.stderr)


class Table(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def run_table(self, *folders):
        done = subprocess.run([ROOT / "tools/table", *folders], capture_output=True, text=True)
        return done.returncode, [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()], done.stderr

    def test_marks_virtual_seconds(self):
        _, lines, _ = self.run_table(make_summary(self.root / "real"),
                                     make_summary(self.root / "virtual", virtual_seconds=130.0))
        self.assertEqual([line[5] for line in lines[2:]], ["3.2 s", "3.2 v s"])

    def test_sets_runs_side_by_side(self):
        code, lines, complaint = self.run_table(
            make_summary(self.root / "fast"),
            make_summary(self.root / "slow", algorithm="msgd", workers=1, time_to_error={"0.5": 40},
                         images_per_second=759, status="interrupted"))
        self.assertEqual((code, complaint), (0, ""))
        self.assertEqual(lines[0], ["run", "method", "workers", "tau", "best error", "to 50 %", "to 25 %",
                                    "images/s", "training", "status"])
        self.assertEqual(lines[2:], [
            ["fast", "eamsgd", "2", "10", "21.25 %", "3.2 s", "120 s", "3406", "255 s", "done"],
            ["slow", "msgd", "1", "10", "21.25 %", "40.0 s", "-", "759", "255 s", "interrupted"]])

    def test_has_a_dash_for_a_run_that_was_never_evaluated(self):
        code, lines, complaint = self.run_table(
            make_summary(self.root / "dead", best_test_error=None, time_to_error={}, status="failed"))
        self.assertEqual((code, complaint), (0, ""))
        self.assertEqual(lines[2:], [["dead", "eamsgd", "2", "10", "-", "3406", "255 s", "failed"]])

    def test_looks_into_a_folder_of_runs_and_leaves_out_what_it_cannot_read(self):
        make_summary(self.root / "runs/one")
        (make_summary(self.root / "runs/two") / "summary.json").write_text("{")
        (make_summary(self.root / "runs/deep") / "summary.json").write_text('{"a":' * 300_000)
        code, lines, complaint = self.run_table(self.root / "runs")
        self.assertEqual((code, [line[0] for line in lines[2:]]), (0, ["one"]))
        self.assertIn("runs/two/summary.json: not JSON", complaint)
        self.assertIn("runs/deep/summary.json: not a summary", complaint)
        self.assertEqual(complaint.count("\n"), 2)
        self.assertEqual(self.run_table(self.root / "runs/two")[:2], (3, []))

    def test_names_the_file_of_an_odd_summary(self):
        folder = make_summary(self.root / "odd")
        good = json.loads((folder / "summary.json").read_text())
        for odd in ([], 3, {}, good | {"wall_seconds": "x"}, good | {"time_to_error": [1]},
                    good | {"time_to_error": {"x": 1}}, good | {"time_to_error": {"0.5": None}}, good | {"status": 1}):
            with self.subTest(odd):
                (folder / "summary.json").write_text(json.dumps(odd))
                code, lines, complaint = self.run_table(folder)
                self.assertEqual((code, lines, complaint.count("\n")), (3, [], 1), complaint)
                self.assertIn("odd/summary.json: ", complaint)
        (folder / "summary.json").write_bytes(b"\xff\xfe")
        self.assertIn("odd/summary.json: ", self.run_table(folder)[2])

    def test_says_where_the_table_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([ROOT / "tools/table", make_summary(self.root / "a")], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (3, "tools/table: standard output: cannot be written: No space left on device\n"))

    def test_chooses_levels_that_were_reached(self):
        fast = {"time_to_error": {"0.5": 1, "0.4": 2, "0.3": 3, "0.2": 4}}
        slow = {"time_to_error": {"0.5": 3, "0.4": 9}}
        self.assertEqual(table.levels([fast, slow]), ["0.4", "0.3", "0.2"])
        self.assertEqual(table.levels([slow, slow]), ["0.5", "0.4"])
        self.assertEqual(table.levels([{"time_to_error": {}}]), [])


class Report(unittest.TestCase):
    def count(self, result: str, stdout: str, command=("test",)) -> tuple[int, int, int]:
        c = report.count({"result": result, "stdout": stdout, "command": list(command)})
        return c["passed"], c["failed"], c["skipped"]

    def test_counts_cases(self):
        summary = "[doctest] test cases:  5 |  {} passed | {} failed | {} skipped"
        self.assertEqual(self.count("OK", summary.format(5, 0, 0)), (5, 0, 0))
        self.assertEqual(self.count("FAIL", summary.format(3, 2, 0)), (3, 2, 0))
        self.assertEqual(self.count("OK", summary.format(2, 0, 3)), (2, 0, 3))
        self.assertEqual(self.count("OK", summary.format(2, 0, 3), ("test", "-ts=one")), (2, 0, 0))
        skipping = "TEST CASE:  a\nx.cpp(1): MESSAGE: skipped: no data\n"
        self.assertEqual(self.count("OK", skipping + summary.format(5, 0, 0)), (4, 0, 1))

    def test_never_calls_a_dead_program_good(self):
        self.assertEqual(self.count("FAIL", ""), (0, 1, 0))
        self.assertEqual(self.count("TIMEOUT", "[doctest] run with"), (0, 1, 0))
        self.assertEqual(self.count("ERROR", "[doctest] test cases: 5 | 5 passed | 0 failed | 0 skipped"),
                         (5, 1, 0))
        self.assertEqual(self.count("SKIP", ""), (0, 0, 1))

    def test_counts_itself(self):
        self.assertEqual(self.count("OK", "Ran 3 tests in 0.1s\n\nOK (skipped=1)"), (2, 0, 1))
        self.assertEqual(self.count("FAIL", "Ran 4 tests in 0.1s\n\nFAILED (failures=1, errors=1)"),
                         (2, 2, 0))


class Shell(unittest.TestCase):
    def test_wrong_arguments(self):
        for tool, argument in (("build", "fast"), ("test", "--al"), ("install", "now"), ("quickstart", "-x")):
            with self.subTest(tool):
                done = subprocess.run([ROOT / "tools" / tool, argument], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))
                self.assertIn(argument, done.stderr)

    def test_quickstart_takes_a_folder_of_any_name(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder, "tree")
            data = Path(folder, 'it\'s "a\\b" [#1] $HOME')
            data.mkdir()
            (data / "data_batch_1.bin").touch()
            stubs = {"tools/install": "", "tools/build": "", "tools/table": "", "tools/plot": "",
                     "bin/ninja": "", "build/easgd": 'printf "%s\\n" "$@" >> "$LOG"'}
            for name, body in stubs.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text(f"#!/bin/bash\n{body}\n")
                (tree / name).chmod(0o755)
            (tree / "tools/quickstart").write_bytes((ROOT / "tools/quickstart").read_bytes())
            done = subprocess.run(["bash", tree / "tools/quickstart", "--data", data], capture_output=True, text=True,
                                  env=os.environ | {"LOG": f"{folder}/log",
                                                    "PATH": f"{tree}/bin:{os.environ['PATH']}"})
            self.assertEqual(done.returncode, 0, done.stderr)
            words = Path(folder, "log").read_text().split("\n")
            self.assertEqual(words.count(f"data.dir={data}"), 2)  # one for each method


@unittest.skipUnless((ROOT / "build/easgd").exists(), "the release kind is not built")
class Bundle(unittest.TestCase):
    """The program on a machine that has nothing but glibc: no packages, no NVIDIA driver or library."""
    GLIBC = ("/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6")

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        cls.bundle = cls.root / "easgd-bundle"
        cls.made = subprocess.run([ROOT / "tools/bundle", cls.bundle], capture_output=True, text=True)

    def test_brings_every_library_but_glibc(self):
        self.assertEqual(self.made.returncode, 0, self.made.stderr)
        self.assertRegex(self.made.stdout, r"needs glibc 2\.\d+ or later\n$")
        listed = subprocess.run(["ldd", self.bundle / "libeasgd.so"], capture_output=True, text=True, env={}).stdout
        places = re.findall(r"=> (\S+)", listed)
        self.assertGreater(len(places), 6)
        for place in places:
            glibc = Path(place).name in ("libc.so.6", "libm.so.6")
            self.assertTrue(glibc or place.startswith(str(self.bundle / "lib")), place)
        if Path("/var/lib/dpkg").exists():
            self.assertGreaterEqual(len(list((self.bundle / "licenses").iterdir())), 6)

    def test_overwrites_nothing(self):
        again = subprocess.run([ROOT / "tools/bundle", self.bundle], capture_output=True, text=True)
        self.assertEqual((again.returncode, again.stderr.count("\n")), (2, 1))
        self.assertIn("is there already", again.stderr)

    def test_leaves_nothing_beside_it_and_takes_no_link(self):
        self.assertEqual([path.name for path in self.root.glob("easgd-bundle*")], ["easgd-bundle"])
        link = self.root / "link"
        link.symlink_to("/not/mounted")
        again = subprocess.run([ROOT / "tools/bundle", link], capture_output=True, text=True)
        self.assertEqual((again.returncode, link.is_symlink()), (2, True))

    def test_removes_only_its_own_where_it_fails(self):
        tools = self.root / "tools"
        tools.mkdir()
        (tools / "strip").write_text(f"#!/bin/sh\nmkdir {self.root}/other; echo mine >{self.root}/other/note; exit 1\n")
        (tools / "strip").chmod(0o755)
        failed = subprocess.run([ROOT / "tools/bundle", self.root / "other"], capture_output=True, text=True,
                                env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"})
        self.assertNotEqual(failed.returncode, 0)
        self.assertEqual((self.root / "other/note").read_text(), "mine\n")
        self.assertEqual([path.name for path in self.root.glob("other*")], ["other"])

    @unittest.skipUnless(os.geteuid() == 0 and all(map(os.path.exists, GLIBC)), "needs root and Debian's glibc")
    def test_trains_where_there_is_nothing_else(self):
        for place in self.GLIBC:
            copy = self.root / place[1:]
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(Path(place).read_bytes())
            copy.chmod(0o755)
        (self.root / "proc/self").mkdir(parents=True)  # all of /proc that a program needs to find itself
        (self.root / "proc/self/exe").symlink_to("/easgd-bundle/easgd")
        train = ["/usr/sbin/chroot", self.root, "/easgd-bundle/easgd", "train", "/easgd-bundle/configs/synthetic_eamsgd.toml"]
        for setting in ("data.limit=400", "data.test_limit=100", "workers.batch=50", "stop.epochs=1"):
            train += ["--set", setting]
        done = subprocess.run([*train, "--out", "/run"], capture_output=True, text=True, env={})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads((self.root / "run/summary.json").read_text())["status"], "done")
        gpu = subprocess.run([*train, "--set", "workers.devices=[0]"], capture_output=True, text=True, env={})
        self.assertEqual((gpu.returncode, gpu.stderr.count("\n")), (4, 1), gpu.stderr)
        self.assertIn("no CUDA device", gpu.stderr)


class CheckGpu(unittest.TestCase):
    def test_takes_no_folder_of_anothers(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder, "synthetic-1")).mkdir()
            done = subprocess.run([ROOT / "tools/check_gpu", folder], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))
            self.assertIn("not of this script", done.stderr)
            self.assertTrue(Path(folder, "synthetic-1").is_dir())


class Profile(unittest.TestCase):
    def profile(self, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess:
        return subprocess.run([ROOT / "tools/profile", *arguments], capture_output=True, text=True,
                              env=os.environ | ({"PATH": path} if path else {}))

    def test_tells_the_profiler_which_steps(self):
        with tempfile.TemporaryDirectory() as folder:
            for tool in ("nsys", "ncu"):
                Path(folder, tool).write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
                Path(folder, tool).chmod(0o755)
            path = f"{folder}:{os.environ['PATH']}"
            for tool, range_, steps in (("nsys", "--nvtx-capture=profile@easgd", "[100,200]"),
                                        ("ncu", "easgd@profile/", "[100,102]")):
                with self.subTest(tool):
                    words = self.profile(tool, "a.toml", "--out", "b", path=path).stdout.split("\n")
                    self.assertEqual(words[0], f"{folder}/{tool}")
                    self.assertIn(range_, words)
                    train = words[words.index(f"{ROOT}/build/easgd"):-1]
                    self.assertEqual(train[1:], ["train", "a.toml", "--set", f"profile.steps={steps}", "--out", "b"])
            own = self.profile("nsys", "a.toml", "--set", "profile.steps=[1,2]", path=path).stdout
            self.assertEqual(own.count("profile.steps"), 1)
            Path(folder, "own.toml").write_text("[profile]\nsteps = [3, 7]\n")
            own = self.profile("nsys", f"{folder}/own.toml", path=path).stdout
            self.assertEqual(own.count("profile.steps"), 0)

    def test_imports_what_debians_nsys_leaves(self):
        with tempfile.TemporaryDirectory() as folder:
            nsys = Path(folder, "bin/nsys")
            importer = Path(folder, "lib/nsight-systems/host-linux-x64/QdstrmImporter")
            for file in (nsys, importer):
                file.parent.mkdir(parents=True)
            path = f"{folder}/bin:{os.environ['PATH']}"

            def profiled(nsys_does: str, importer_does: str) -> tuple[int, str]:
                for file, script in ((nsys, nsys_does), (importer, importer_does)):
                    file.write_text(f"#!/bin/sh\n{script}\n")
                    file.chmod(0o755)
                Path(folder, "profile.nsys-rep").write_text("of an earlier time\n")
                done = subprocess.run([ROOT / "tools/profile", "nsys", "a.toml"], cwd=folder, capture_output=True,
                                      text=True, env=os.environ | {"PATH": path})
                return done.returncode, done.stderr

            imports = 'echo "$@" >&2; cp "$3" "$5"'
            self.assertEqual(profiled("echo seen > profile.qdstrm; exit 3", imports),
                             (3, "--force-overwrite --input-file profile.qdstrm --output-file profile.nsys-rep\n"))
            self.assertEqual(Path(folder, "profile.nsys-rep").read_text(), "seen\n")
            self.assertFalse(Path(folder, "profile.qdstrm").exists())
            none = (1, "tools/profile: nsys left no profile.nsys-rep\n")
            self.assertEqual(profiled("echo seen > profile.qdstrm", "exit 2"), none)
            self.assertTrue(Path(folder, "profile.qdstrm").exists())
            self.assertEqual(profiled("true", "exit 2"), none)
            self.assertEqual(Path(folder, "profile.nsys-rep").read_text(), "of an earlier time\n")
            self.assertEqual(profiled("echo seen > profile.nsys-rep", "exit 2"), (0, ""))

    def test_says_what_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("bash", "dirname", "sed", "env", "grep"):
                Path(folder, name).symlink_to(f"/usr/bin/{name}")
            done = self.profile("nsys", "a.toml", path=folder)
        self.assertEqual((done.returncode, done.stderr), (
            2, "tools/profile: no nsys on the PATH; it comes with the CUDA toolkit\n"))
        self.assertEqual(self.profile("gprof", "a.toml").returncode, 2)

    @unittest.skipUnless(shutil.which("nsys"), "no nsys on the PATH")
    @unittest.skipUnless((ROOT / "build/easgd").exists(), "the release kind is not built")
    def test_nsys_keeps_the_ranges_of_the_steps_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([ROOT / "tools/profile", "nsys", ROOT / "configs/synthetic_logistic.toml",
                            "--set", 'workers.devices=["cpu"]', "--set", "algorithm.tau=10",
                            "--set", "profile.steps=[20,60]", "--out", "run"],
                           cwd=folder, check=True, capture_output=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
            subprocess.run(["nsys", "export", "--type", "sqlite", "--output", "profile.sqlite", "profile.nsys-rep"],
                           cwd=folder, check=True, capture_output=True)
            with sqlite3.connect(f"{folder}/profile.sqlite") as report:
                rows = report.execute("SELECT globalTid, coalesce(text, value), \"end\" FROM NVTX_EVENTS "
                                      "LEFT JOIN StringIds ON id = textId").fetchall()
        names = {thread: name for thread, name, end in rows if end is None}
        ranges = collections.Counter((names[thread], name) for thread, name, end in rows if end is not None)
        for name, times in (("profile", 1), ("step", 40), ("wait for batch", 40), ("gradient", 40), ("update", 40),
                            ("post letter", 4), ("wait for reply", 4)):
            self.assertEqual(ranges["worker 0", name], times, name)
        self.assertIn(ranges["master", "absorb"], (3, 4, 5))  # the first and the last may begin outside


@unittest.skipUnless((ROOT / "build/easgd").exists(), "the release kind is not built")
class Slurm(unittest.TestCase):
    """The job of docs/resume.md, with stand-ins for what Slurm brings."""
    CONFIG = "configs/synthetic_logistic.toml --set data.limit=500 --set stop.epochs= --set stop.seconds=3"

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        self.addCleanup(self.temporary.cleanup)
        for name in ("build", "configs"):
            (self.folder / name).symlink_to(ROOT / name)
        job = re.search(r"## Slurm\s+```sh\n(.*?)```", (ROOT / "docs/resume.md").read_text(), re.S)[1]
        self.assertIn("configs/cifar10_eamsgd.toml", job)
        (self.folder / "job").write_text(job)
        (self.folder / "srun").write_text('#!/bin/sh\n"$@" &\nrun=$!\n'
                                          '[ "$LIMIT" ] && { sleep "$LIMIT"; kill -USR1 $run; }\nwait $run\n')
        (self.folder / "scontrol").write_text('#!/bin/sh\necho "$@" >> scontrol.log\n')
        for name in ("srun", "scontrol"):
            (self.folder / name).chmod(0o755)

    def submit(self, limit: str = "", config: str = CONFIG) -> int:
        text = (self.folder / "job").read_text().replace("configs/cifar10_eamsgd.toml", config)
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "77", "LIMIT": limit,
                       "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run(["sh", "-c", text], cwd=self.folder, env=os.environ | environment,
                              capture_output=True).returncode

    def requeues(self) -> list[str]:
        log = self.folder / "scontrol.log"
        return log.read_text().splitlines() if log.exists() else []

    def status(self) -> str:
        return json.loads((self.folder / "runs/a/summary.json").read_text())["status"]

    def test_a_job_at_its_limit_is_queued_again_and_goes_on(self):
        self.assertEqual((self.submit(limit="1.5"), self.status()), (130, "interrupted"))
        self.assertEqual(self.requeues(), ["requeue 77"])
        self.assertEqual((self.submit(), self.status()), (0, "done"))
        self.assertEqual(self.requeues(), ["requeue 77"])
        events = [json.loads(line)["event"] for line in (self.folder / "runs/a/metrics.jsonl").open()]
        self.assertEqual(events.count("resume"), 1)

    def test_a_job_whose_signal_comes_before_the_run_is_queued_again(self):
        self.assertEqual(self.submit(limit="0"), 138)
        self.assertEqual(self.requeues(), ["requeue 77"])
        self.assertFalse((self.folder / "runs/a").exists())

    def test_what_cannot_go_on_is_put_aside_and_a_failure_keeps_its_code(self):
        self.assertEqual(self.submit(limit="1.5"), 130)
        for path in (self.folder / "runs/a/checkpoints").iterdir():
            path.rename(path.with_name(path.name + ".broken"))
        self.assertEqual(self.submit(), 0)
        aside = [path for path in (self.folder / "runs").iterdir() if path.name.startswith("a.")]
        self.assertEqual(len(aside), 1)
        self.assertTrue(any(path.name.endswith(".broken") for path in (aside[0] / "checkpoints").iterdir()))
        self.assertEqual(self.submit(config="configs/nothing.toml"), 2)
        self.assertEqual(self.requeues(), ["requeue 77"])


class BenchExchange(unittest.TestCase):
    def bench(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([ROOT / "tools/bench/exchange", "--rounds", "1", *arguments],
                              capture_output=True, text=True)

    def test_tells_what_exchanges_cost(self):
        done = self.bench("--workers", "1", "--taus", "1", "--steps", "2")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^cifar7, f32, 1 worker\(s\) on cpu: \d+ images/s without exchanges\n"
                                      r"  center pinned, tau 1 +\d+ images/s, +-?\d+\.\d % lost \(rounds: .*\)\n$")

    def test_hands_on_the_programs_complaint(self):
        for code, complaint, *arguments in (
                (2, 'did you mean "pinned"?', "--places", "pinnd", "--workers", "1", "--taus", "1", "--steps", "10"),
                (4, "no CUDA device", "--device", "cuda")):
            done = self.bench(*arguments)
            self.assertEqual((done.returncode, done.stdout), (code, ""))
            self.assertIn(complaint, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        self.assertEqual(self.bench("--workers", "0").returncode, 2)


class BenchKernels(unittest.TestCase):
    HEAD = '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"\n'

    def table(self, text: str) -> subprocess.CompletedProcess:
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write(text)
            file.flush()
            return subprocess.run([ROOT / "tools/bench/kernels", file.name], capture_output=True, text=True)

    def test_adds_up_by_name(self):
        relu = "void f<easgd::kernels::ReluForward<easgd::kernels::Bf16>>(int)"
        rows = [("0", relu, "gpu__time_duration.sum", "us", "1,500.0"), ("0", relu, "dram__bytes.sum", "Mbyte", "3"),
                ("1", relu, "gpu__time_duration.sum", "ns", "500000"), ("1", relu, "dram__bytes.sum", "Kbyte", "1000"),
                ("2", "cudnn::conv<int>(int)", "gpu__time_duration.sum", "ms", "6"),
                ("2", "cudnn::conv<int>(int)", "dram__bytes.sum", "Gbyte", "0.6")]
        done = self.table("==PROF== Connected\n" + self.HEAD + "".join(
            ",".join(f'"{word}"' for word in row) + "\n" for row in rows))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([line.split() for line in done.stdout.splitlines()[1:]],
                         [["cudnn::conv", "1", "6000.0", "75.0%", "100"], ["ReluForward", "2", "2000.0", "25.0%", "2"],
                          ["all", "3", "8000.0"]])

    def test_says_that_there_is_none(self):
        done = self.table("==ERROR== The application returned an error code (2).\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1))


class BenchLayers(unittest.TestCase):
    def test_has_all_of_a_step(self):
        if subprocess.run(["ninja", "-C", ROOT / "build", "-n", "tests/librange_listener.so"], capture_output=True).returncode:
            self.skipTest("no listener: built without NVTX")
        done = subprocess.run([ROOT / "tools/bench/layers", "--network", "lenet", "--batch", "16", "--steps", "2"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = {line.split()[0] for line in done.stdout.splitlines()}
        self.assertTrue({"conv1", "conv2", "maxpool4", "linear1", "linear2", "prepare", "add"} <= rows, done.stdout)

    def test_others_are_refused(self):
        for tool, words in (("layers", ["--network", "lenett"]), ("all", ["--networks", "lenett"])):
            done = subprocess.run([ROOT / "tools/bench" / tool, *words], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("lenett", done.stderr)


if __name__ == "__main__":
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1))
