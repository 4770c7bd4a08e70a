#!/usr/bin/python3
"""tests/tensorboard_test.py EASGD FOLDER: does TensorBoard read what a run writes for it?

EASGD is the program. TensorBoard's package is installed into FOLDER, once. Exit code 77: it cannot be.
"""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from pathlib import Path

from package_environment import python_with

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "easgd"
WORKERS = 3
PER_WORKER = ("steps", "data_seconds", "gradient_seconds", "exchange_seconds", "exchanges",
              "refused", "staleness", "distance", "train_loss", "learning_rate")


def float32(value: float | None) -> float:
    """A number as an event file holds it."""
    return math.nan if value is None else struct.unpack("f", struct.pack("f", value))[0]


def train(out: Path, *settings: str, config: str = "synthetic_logistic") -> None:
    words = [PROGRAM, "train", ROOT / "configs" / f"{config}.toml", "--out", out]
    for setting in ("data.limit=2000", "data.test_limit=500", "workers.threads=1",
                    "workers.devices=" + json.dumps(["cpu"] * WORKERS), *settings):
        words += ["--set", setting]
    subprocess.run(words, check=True, capture_output=True)


def expected(folder: Path) -> dict[str, list[tuple[int, float, float | None]]]:
    """(step, value, training time if it is real) of each tag, from metrics.jsonl."""
    found: dict[str, list[tuple[int, float, float | None]]] = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        event = json.loads(line)
        workers = event.get("workers", [])
        values = {}
        step = sum(event.get("steps", [w["steps"] for w in workers]))
        if event["event"] == "evaluation":
            for key in ("test_error", "test_loss", "train_loss", "epoch", "version"):
                values[f"center/{key}"] = event[key]
            is_virtual = "virtual" in (folder / "config.toml").read_text().split("[virtual]")[0]
            values["center/virtual_seconds" if is_virtual else "center/seconds"] = event["time"]
        if event["event"] == "progress":
            seconds = event.get("time", event.get("wall_time"))
            values = {"run/images_per_second": event["images_per_second"],
                      "run/epoch": event["epoch"], "run/wall_seconds": seconds}
            if "fraction" in event:
                values["run/fraction"] = event["fraction"]
        for worker in workers:
            for key in PER_WORKER:
                group = "worker_train_loss" if key == "train_loss" else key
                values[f"{group}/worker_{worker['worker']}"] = worker[key]
            whole = sum(worker[f"{what}_seconds"] for what in ("data", "gradient", "exchange"))
            for what in ("data", "exchange"):
                values[f"{what}_wait_fraction/worker_{worker['worker']}"] = (
                    worker[f"{what}_seconds"] / whole)
        for tag, value in values.items():
            found.setdefault(tag, []).append((step, float32(value), event.get("time")))
    return found


class TensorBoard(unittest.TestCase):
    def assert_equal_scalars(self, folder: Path, begin: float) -> set[str]:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        wanted = expected(folder)
        self.assertEqual(set(wanted), set(events.Tags()["scalars"]))
        for tag, points in wanted.items():
            with self.subTest(tag=tag):
                read = events.Scalars(tag)
                self.assertEqual([step for step, _, _ in points], [e.step for e in read])
                for (_, value, seconds), event in zip(points, read):
                    self.assertTrue(event.value == value or math.isnan(value) and
                                    math.isnan(event.value), f"{event.value}, expected {value}")
                    # Training begins after `begin`, and an evaluation is told when it is done.
                    self.assertGreater(event.wall_time, begin + (seconds or 0))
                    self.assertLess(event.wall_time, time.time())
        return set(wanted)

    def session(self, folder: Path, part: str):
        from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
        from tensorboard.plugins.hparams import metadata

        events = EventAccumulator(str(folder))
        events.Reload()
        contents = events.PluginTagToContent("hparams")
        parse = getattr(metadata, f"parse_session_{part}_info_plugin_data")
        return parse(contents[f"_hparams_/session_{part}_info"])

    def assert_hyper_parameters(self, folder: Path) -> None:
        start = self.session(folder, "start")
        wanted: dict[str, object] = {}

        def walk(table: dict, before: str) -> None:
            for key, value in table.items():
                if isinstance(value, dict):
                    walk(value, f"{before}{key}.")
                elif key != "layer" and before + key not in ("name", "data.dir"):
                    wanted[before + key] = value

        walk(tomllib.loads((folder / "config.toml").read_text()), "")
        self.assertEqual(set(wanted), set(start.hparams))
        for key, value in wanted.items():
            if not isinstance(value, list):
                kind = start.hparams[key].WhichOneof("kind")
                self.assertEqual(value, getattr(start.hparams[key], kind), key)
        self.assertEqual(str(["cpu"] * WORKERS).replace("'", '"'),
                         start.hparams["workers.devices"].string_value)

    def test_scalars_and_hyper_parameters_are_read_back(self):
        with tempfile.TemporaryDirectory() as out:
            folder, begin = Path(out, "run"), time.time()
            train(folder, "stop.epochs=100000", "stop.seconds=2", "evaluate.every.seconds=0.5")
            tags = self.assert_equal_scalars(folder, begin)
            self.assertIn("center/seconds", tags)
            self.assertIn(f"staleness/worker_{WORKERS - 1}", tags)
            self.assertIn("run/fraction", tags)
            self.assert_hyper_parameters(folder)
            from tensorboard.plugins.hparams import api_pb2
            self.assertEqual(api_pb2.STATUS_SUCCESS, self.session(folder, "end").status)
            self.assertGreater(self.session(folder, "end").end_time_secs, begin)

    def test_virtual_time(self):
        with tempfile.TemporaryDirectory() as out:
            folder, begin = Path(out, "run"), time.time()
            train(folder, "center.order=virtual", "stop.epochs=20", "evaluate.every.epochs=1")
            tags = self.assert_equal_scalars(folder, 0)
            self.assertIn("center/virtual_seconds", tags)
            self.assertNotIn("center/seconds", tags)
            self.assertIn("run/fraction", tags)  # however short the run was
            self.assertLess(begin, self.session(folder, "start").start_time_secs)

    def test_a_run_that_was_killed_is_read(self):
        with tempfile.TemporaryDirectory() as out:
            folder = Path(out, "run")
            run = subprocess.Popen(
                [PROGRAM, "train", ROOT / "configs/synthetic_logistic.toml", "--out", folder,
                 "--set", "stop.epochs=100000", "--set", "evaluate.every.seconds=0.1"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            metrics = folder / "metrics.jsonl"
            while not metrics.exists() or metrics.read_text().count("evaluation") < 5:
                time.sleep(0.02)
                self.assertIsNone(run.poll())
            run.kill()
            run.wait()
            [file] = folder.glob("events.out.tfevents.*")
            whole = file.read_bytes()
            for cut in (0, 5):  # as after a crash of the machine
                file.write_bytes(whole[:len(whole) - cut])
                from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
                events = EventAccumulator(str(folder))
                events.Reload()
                # The kill may have come before the fifth, and the cut in the fourth.
                self.assertGreaterEqual(len(events.Scalars("center/test_error")), 3)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        PROGRAM = Path(sys.argv[1]).resolve()
        python = python_with(Path(sys.argv[2]), "tensorboard")
        sys.exit(subprocess.run([python, __file__, PROGRAM], check=False).returncode)
    PROGRAM = Path(sys.argv.pop(1)).resolve()
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1))
