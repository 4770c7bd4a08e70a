#!/usr/bin/python3
"""tests/page_test.py EASGD: does the page of `easgd report` work in a browser?

Makes runs by hand, reports them, and opens the page in a headless Chromium, which is driven by its
debugging pipe. With --screenshots DIR it leaves pictures there, and with --page FILE takes them of
that page alone. Exit code 77: no Chromium (tools/install --tests brings it).
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
WIDE, NARROW = 1400, 400  # pixels
SKIPPED = 77

CONFIG = """name = "{method}"
seed = {seed}
[data]
set = "synthetic"
[algorithm]
name = "{method}"
tau = {tau}
rho = {rho}
[workers]
devices = [{devices}]
[[network.layer]]
type = "linear"
outputs = 10
"""


def browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


# Runs. --------------------------------------------------------------------------------------------


def error_at(epoch: float, tau: int, rho: float, workers: int, seed: int) -> float:
    best = 0.10 + 0.02 * math.log10(tau) + 0.01 * abs(math.log10(rho)) + 0.002 * (seed % 3)
    return best + (0.9 - best) * math.exp(-epoch * 3 / workers**0.2)


def progress(second: int, workers: int) -> dict:
    shares = {
        "gradient_seconds": 0.9 * second,
        "data_seconds": 0.04 * second,
        "exchange_seconds": 0.06 * second,
        "exchanges": 10 * second,
        "refused": 0,
    }
    return {
        "event": "progress",
        "time": second,
        "epoch": second / 10,
        "images_per_second": 900.0 * workers,
        "workers": [
            {
                "worker": w,
                "steps": 100 * second,
                "staleness": workers - 1,
                "distance": 3 / (1 + second) + w / 10,
            }
            | shares
            for w in range(workers)
        ],
    }


def write_run(folder: Path, method: str, tau: int, rho: float, workers: int, seed: int) -> None:
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(
        CONFIG.format(
            method=method, tau=tau, rho=rho, seed=seed, devices=", ".join(['"cpu"'] * workers)
        )
    )
    evaluations = []
    for i in range(1, 21):
        error = error_at(i / 5, tau, rho, workers, seed)
        evaluations.append(
            {
                "event": "evaluation",
                "time": 10 * i / workers * (1 + seed / 50),
                "version": 30 * i,
                "steps": [50 * i] * workers,
                "epoch": i / 5,
                "train_loss": 2 * error,
                "test_loss": 2.2 * error,
                "test_error": error,
            }
        )
    lines = evaluations + [progress(second, workers) for second in (5, 10, 15)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    reached = {
        str(level): next(e["time"] for e in evaluations if e["test_error"] <= level)
        for level in (0.5, 0.25, 0.2)
        if evaluations[-1]["test_error"] <= level
    }
    last = evaluations[-1]
    (folder / "summary.json").write_text(
        json.dumps(
            {
                "name": method,
                "algorithm": method,
                "exchange": "asynchronous",
                "backend": "cpu",
                "devices": ["cpu"] * workers,
                "workers": workers,
                "tau": tau,
                "rho": rho,
                "seed": seed,
                "steps": last["steps"],
                "epochs": 4,
                "wall_seconds": last["time"],
                "virtual_seconds": None,
                "images_per_second": 900.0 * workers,
                "version": last["version"],
                "train_loss": last["train_loss"],
                "test_loss": last["test_loss"],
                "test_error": last["test_error"],
                "best_test_error": last["test_error"],
                "time_to_error": reached,
                "exchanges": 600,
                "refused_letters": 0,
                "exchange_wait_fraction": 0.06,
                "data_wait_fraction": 0.04,
                "status": "done",
            }
        )
    )


def break_runs(folder: Path) -> None:
    """One run of each kind of damage; what its row has to say is in its name."""
    for number, name in enumerate(
        (
            "torn",
            "bad-json",
            "no-config",
            "no-metrics",
            "bad-summary",
            "nan",
            "bad-config",
            "diverged",
        )
    ):
        write_run(folder / name, "easgd", 4, 1.0, 4, number + 1)
    (folder / "torn" / "summary.json").unlink()
    with (folder / "torn" / "metrics.jsonl").open("a") as file:
        file.write('{"event": "evaluation", "time": 1')
    with (folder / "bad-json" / "metrics.jsonl").open("a") as file:
        file.write('{{{\n[1, 2]\n{"event": "evaluation", "time": "soon"}\n')
    (folder / "no-config" / "config.toml").unlink()
    (folder / "no-metrics" / "metrics.jsonl").unlink()
    (folder / "bad-summary" / "summary.json").write_text('{"status": ')
    (folder / "bad-config" / "config.toml").write_text("= = =\n</script><b>\n")
    (folder / "empty").mkdir()
    nan = json.loads((folder / "nan" / "summary.json").read_text())
    (folder / "nan" / "summary.json").write_text(
        json.dumps(nan | {"test_error": None, "test_loss": None, "status": "diverged"})
    )
    lost = json.loads((folder / "diverged" / "summary.json").read_text())
    (folder / "diverged" / "summary.json").write_text(
        json.dumps(lost | {"test_error": 0.9, "status": "diverged", "time_to_error": {}})
    )


def make_study(folder: Path) -> None:
    for seed in (1, 2, 3, 4, 5):
        write_run(folder / f"msgd-s{seed}", "msgd", 1, 1.0, 1, seed)
        for tau in (1, 4, 16):
            for rho in (0.1, 1.0):
                write_run(folder / f"easgd-{tau}-{rho}-s{seed}", "easgd", tau, rho, 4, seed)
    break_runs(folder / "broken")


# The browser. -------------------------------------------------------------------------------------


class Browser:
    """Chromium behind a pair of pipes: messages are JSON, each ended by a zero byte."""

    def __init__(self, program: str, home: Path):
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def give_pipes():
            # Through copies, lest one lies where the other goes.
            reading, writing = os.dup(to_read), os.dup(to_write)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        # pylint: disable=subprocess-popen-preexec-fn
        self._process = subprocess.Popen(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
                "--no-first-run",
                "--hide-scrollbars",
                f"--user-data-dir={home}",
                "about:blank",
            ],
            preexec_fn=give_pipes,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._last, self._session = b"", 0, None
        self.console: list[str] = []
        self.requests: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        try:
            self._session = None
            self.ask("Browser.close")
        except (OSError, EOFError):
            pass
        os.close(self._to)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)

    def _receive(self) -> dict:
        while b"\0" not in self._buffer:
            part = os.read(self._from, 1 << 20)
            if not part:
                raise EOFError("the browser has gone")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, message: dict) -> None:
        method, what = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.console.append(json.dumps(what["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and what["type"] in (
            "error",
            "warning",
            "assert",
        ):
            self.console.append(json.dumps(what["args"]))
        elif method == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.console.append(what["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])

    def ask(self, method: str, **what) -> dict:
        self._last += 1
        message = {"id": self._last, "method": method, "params": what}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._last:
            self._note(answer)
        if "error" in answer:
            raise OSError(f"{method}: {answer['error']}")
        return answer["result"]

    def run(self, script: str):
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, page: Path, width: int, dark: bool = False) -> None:
        self.console.clear()
        self.requests.clear()
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=1000,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        self.ask(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        self.ask("Page.navigate", url=page.as_uri())
        self.run(
            "new Promise(done => document.readyState === 'complete' ? done()"
            " : addEventListener('load', done))"
        )

    def screenshot(self, file: Path) -> None:
        self.run(
            "drawAll(); new Promise(done =>"
            " requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        size = self.run(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        shot = self.ask(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1},
        )
        file.write_bytes(base64.b64decode(shot["data"]))


def take_pictures(opened: Browser, page: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for width, dark in ((WIDE, False), (WIDE, True), (NARROW, False)):
        opened.open(page, width, dark)
        opened.screenshot(folder / f"{page.stem}-{width}{'-dark' if dark else ''}.png")


# The test. ----------------------------------------------------------------------------------------


class Page(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="easgd-page-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        make_study(cls.folder / "study")
        cls.page = cls.folder / "study" / "report.html"
        done = subprocess.run(
            [PROGRAM, "report", cls.folder / "study"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        cls.browser = Browser(browser(), cls.folder / "home")
        cls.addClassCleanup(cls.browser.close)

    def open(self, width: int = WIDE) -> Browser:
        self.browser.open(self.page, width)
        self.browser.run("drawAll()")
        return self.browser

    def column(self, table: str, place: int) -> list[str]:
        return self.browser.run(
            f"[...document.querySelectorAll('[data-table=\"{table}\"] tbody tr')]"
            f".map(row => row.children[{place}].textContent)"
        )

    def click_head(self, table: str, name: str) -> int:
        """Returns the column's place."""
        return self.browser.run(f"""(() => {{
            const heads = [...document.querySelectorAll('[data-table="{table}"] thead th')];
            const place = heads.findIndex(head => head.textContent === {json.dumps(name)});
            heads[place].querySelector('button').click();
            return place; }})()""")

    def test_opens_without_an_error_and_without_a_network(self):
        for width in (WIDE, NARROW):
            self.open(width)
            self.browser.run("new Promise(done => setTimeout(done, 200))")
            self.assertEqual([], self.browser.console)
            self.assertEqual(
                [],
                [
                    url
                    for url in self.browser.requests
                    if not url.startswith(("data:", self.page.as_uri()))
                ],
            )

    def test_is_as_wide_as_the_window(self):
        for width in (WIDE, NARROW):
            self.open(width)
            self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width)

    def test_every_chart_is_there(self):
        self.open()
        charts = set(
            self.browser.run(
                "[...document.querySelectorAll('[data-chart]')].map(chart => chart.dataset.chart)"
            )
        )
        wanted = {
            "test error against seconds of training",
            "test error against epochs",
            "test error against exchanges",
            "seconds to the error",
            "speed-up over one worker",
            "tau and rho",
            "parallel coordinates",
            "breakdown",
            "distance to the center",
            "staleness, versions",
        }
        self.assertEqual(set(), wanted - charts)
        bare = self.browser.run(
            "[...document.querySelectorAll('[data-chart]')]"
            ".filter(c => c.querySelectorAll('svg path, svg rect, svg polyline').length === 0)"
            ".map(c => c.dataset.chart)"
        )
        self.assertEqual([], bare)

    def test_curves_have_a_line_a_setting_and_a_band_over_seeds(self):
        self.open()
        lines, bands, thin = self.browser.run("""(() => {
            const chart = document.querySelector('[data-chart="test error against epochs"]');
            const paths = [...chart.querySelectorAll('path')];
            const width = path => path.getAttribute('stroke-width');
            return [paths.filter(p => width(p) === '2.2').length,
                    paths.filter(p => p.getAttribute('fill-opacity')).length,
                    paths.filter(p => width(p) === '0.8').length]; })()""")
        # msgd and six of easgd, with the broken runs of tau 4, rho 1 beside five seeds.
        self.assertEqual((7, 7), (lines, bands))
        self.assertGreaterEqual(thin, 35)

    def test_logarithmic_axes(self):
        self.open()
        for _ in range(2):
            self.browser.run(
                "[...document.querySelectorAll('#curves input')].forEach(box => box.click())"
            )
        self.assertEqual([], self.browser.console)

    def test_tables_sort(self):
        self.open()
        for table, head in (
            ("comparison", "test error"),
            ("comparison", "setting"),
            ("runs", "test error"),
            ("runs", "tau"),
            ("speed", "workers"),
        ):
            with self.subTest(table=table, head=head):
                place = self.click_head(table, head)
                once = self.column(table, place)
                self.click_head(table, head)
                twice = self.column(table, place)
                known = [text for text in once if text != "–"]

                def key(text):
                    return [
                        (0, float(part)) if part[0].isdigit() else (1, part)
                        for part in re.findall(r"[\d.]+|[^\d.]+", text)
                    ]

                rising = sorted(known, key=key)
                self.assertIn(known, (rising, rising[::-1]))
                self.assertEqual(
                    known[::-1],
                    (
                        [text for text in twice if text != "–"]
                        if len(set(known)) == len(known)
                        else known[::-1]
                    ),
                )
                self.assertNotEqual(once, twice)
                gaps = [i for i, text in enumerate(twice) if text == "–"]
                self.assertEqual(list(range(len(twice) - len(gaps), len(twice))), gaps)

    def test_figures_are_those_of_the_runs(self):
        self.open()
        place = self.click_head("comparison", "setting")
        row = self.column("comparison", place).index("msgd p=1 tau=1 rho=1")
        errors = [100 * error_at(4, 1, 1.0, 1, seed) for seed in (1, 2, 3, 4, 5)]
        mean = sum(errors) / 5
        deviation = math.sqrt(sum((e - mean) ** 2 for e in errors) / 4)
        self.assertEqual(f"{mean:.2f} ± {deviation:.2f} %", self.column("comparison", 2)[row])

    def test_broken_runs_have_their_rows(self):
        self.open()
        self.click_head("runs", "folder")
        self.browser.run("document.querySelector('#runs .more button')?.click()")
        folders = self.column("runs", 1)
        statuses = dict(zip((Path(f).name for f in folders), self.column("runs", 2)))
        self.assertEqual(5 * 7 + 9, len(folders))
        self.assertEqual(
            {
                "torn": "unfinished",
                "bad-json": "done",
                "no-config": "done",
                "no-metrics": "done",
                "bad-summary": "unreadable",
                "nan": "diverged",
                "bad-config": "done",
                "diverged": "diverged",
                "empty": "unreadable",
            },
            {
                name: status
                for name, status in statuses.items()
                if "-s" not in name or name == "bad-summary"
            },
        )
        notes = self.browser.run("document.querySelector('#findings').textContent")
        for words in (
            "has no end",
            "is not valid JSON",
            "config.toml",
            "metrics.jsonl",
            "summary.json",
            "not valid TOML",
        ):
            self.assertIn(words, notes)

    def test_filters(self):
        self.open()
        before = len(self.column("comparison", 0))
        self.assertIn("4 × cpu", self.browser.run("document.querySelector('#filters').textContent"))
        self.browser.run("document.querySelector('#filters .axis button').click()")
        self.assertLess(len(self.column("comparison", 0)), before)
        self.browser.run(
            "[...document.querySelectorAll('#filters .axis button')].forEach(b => "
            "b.getAttribute('aria-pressed') === 'true' && b.click())"
        )
        self.assertEqual([], self.column("comparison", 0))
        self.assertEqual([], self.browser.console)

    def test_chosen_configurations(self):
        self.open()
        self.click_head("runs", "folder")
        self.browser.run("""[...document.querySelectorAll('[data-table="runs"] input:checked')]
              .forEach(box => box.click());
            const rows = [...document.querySelectorAll('[data-table="runs"] tbody tr')];
            const wanted = ['easgd-1-0.1-s1', 'easgd-16-0.1-s1'];
            rows.filter(row => wanted.some(name => row.children[1].textContent.endsWith(name)))
              .forEach(row => row.querySelector('input').click());""")
        self.assertEqual(["algorithm.tau"], self.column("configurations", 0))
        self.assertEqual(
            {"1", "16"}, {self.column("configurations", 1)[0], self.column("configurations", 2)[0]}
        )

    def test_studies_with_little_in_them(self):
        """A lone run, a lone broken one, a sweep of which no run has begun, a search without any."""
        write_run(self.folder / "lone" / "run", "easgd", 4, 1.0, 4, 1)
        (self.folder / "broken" / "run").mkdir(parents=True)
        (self.folder / "broken" / "run" / "summary.json").write_text("{")
        planned = [
            {"identity": tau, "folder": f"runs/{tau}", "seed": 1, "adapted": []}
            | {"values": {"algorithm.tau": tau}}
            for tau in ("1", "4")
        ]
        plan = {"event": "plan", "time": "", "name": "waiting", "program": "", "total": 2}
        plan |= {"axes": ["algorithm.tau"], "runs": planned}
        (self.folder / "waiting").mkdir()
        (self.folder / "waiting" / "manifest.jsonl").write_text(json.dumps(plan) + "\n")
        (self.folder / "empty").mkdir()
        (self.folder / "empty" / "manifest.jsonl").write_text(
            json.dumps(plan | {"total": 0, "runs": []}) + "\n"
        )
        said = {"lone": "one seed: no spread", "broken": "1 unreadable", "waiting": "2 waiting"}
        said["empty"] = "No run has come to its end yet."
        for name, words in said.items():
            with self.subTest(study=name):
                subprocess.run(
                    [PROGRAM, "report", self.folder / name], check=True, stdout=subprocess.DEVNULL
                )
                self.browser.open(self.folder / name / "report.html", WIDE)
                self.browser.run("drawAll(); new Promise(done => setTimeout(done, 100))")
                self.assertEqual([], self.browser.console)
                self.assertIn(
                    words, self.browser.run("document.querySelector('#findings').textContent")
                )

    def test_a_search_over_ranges_has_heat_maps(self):
        """40 numbers of a range are drawn in parts of equal ratios, each with its settings."""
        for i in range(40):
            rho = 0.01 * 1000 ** (i / 39)
            write_run(self.folder / "search" / f"{i:02}", "easgd", 4 if i % 2 else 16, rho, 4, 1)
        subprocess.run(
            [PROGRAM, "report", self.folder / "search"], check=True, stdout=subprocess.DEVNULL
        )
        self.browser.open(self.folder / "search" / "report.html", WIDE)
        self.browser.run("drawAll(); new Promise(done => setTimeout(done, 100))")
        self.assertEqual([], self.browser.console)
        chart = "document.querySelector('[data-chart=\"tau and rho\"] svg')"
        self.assertEqual(16, self.browser.run(f"{chart}.querySelectorAll('rect').length"))
        self.assertIn("0.01…0.024", self.browser.run(f"{chart}.textContent"))
        self.assertEqual(40, self.browser.run(
            "axisPairs().map(([x, y]) => cellsOf(x, y).flat().filter(Boolean)"
            ".reduce((sum, cell) => sum + cell.groups.length, 0))[0]"))

    def test_folders_that_have_nothing_in_common(self):
        relative = self.folder / "mixed" / "one"
        write_run(relative, "easgd", 4, 1.0, 4, 1)
        write_run(self.folder / "mixed" / "two", "easgd", 4, 1.0, 4, 2)
        subprocess.run(
            [PROGRAM, "report", self.folder / "mixed" / "two", "one", "--out", "mixed.html"],
            cwd=relative.parent,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.browser.open(relative.parent / "mixed.html", WIDE)
        self.browser.run("drawAll()")
        self.assertEqual([], self.browser.console)
        self.assertEqual(
            {"one", str(self.folder / "mixed" / "two")}, set(self.column("runs", 1))
        )

    def test_same_page_again(self):
        before = self.page.read_bytes()
        subprocess.run([PROGRAM, "report", self.folder / "study"], capture_output=True, check=True)
        self.assertEqual(before, self.page.read_bytes())

    def test_csv_is_read_by_python(self):
        text = subprocess.run(
            [PROGRAM, "report", self.folder / "study", "--csv", "-"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual(5 * 7 + 9, len(rows))
        one = next(row for row in rows if row["folder"].endswith("/easgd-16-0.1-s2"))
        self.assertEqual(
            ("done", "2", "easgd", "4 x cpu"),
            tuple(one[key] for key in ("status", "seed", "algorithm.name", "workers.devices")),
        )
        self.assertEqual(error_at(4, 16, 0.1, 4, 2), float(one["test_error"]))


def main() -> int:
    global PROGRAM
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", type=Path)
    parser.add_argument("--screenshots", type=Path)
    parser.add_argument("--page", type=Path)
    arguments, rest = parser.parse_known_args()
    PROGRAM = arguments.program.resolve()
    if not browser():
        print("tests/page_test.py: skipped: no Chromium; tools/install --tests brings it")
        return SKIPPED
    if arguments.screenshots:
        with tempfile.TemporaryDirectory() as folder:
            page = arguments.page
            if not page:
                make_study(Path(folder) / "study")
                subprocess.run([PROGRAM, "report", Path(folder) / "study"], check=True)
                page = Path(folder) / "study" / "report.html"
            opened = Browser(browser(), Path(folder) / "home")
            try:
                take_pictures(opened, page.resolve(), arguments.screenshots)
            finally:
                opened.close()
        return 0
    program = unittest.main(
        argv=[sys.argv[0], *rest],
        exit=False,
        testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1),
    )
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
