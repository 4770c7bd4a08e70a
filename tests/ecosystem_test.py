#!/usr/bin/python3
"""tests/ecosystem_test.py EASGD FOLDER: do the safetensors package and PyTorch read what it writes, and it them?

EASGD is the program. The package is installed into FOLDER, once; $EASGD_TORCH_PYTHON may name a python that has
it, and torch. Exit code 77: neither is to be had. What needs torch is skipped without.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from package_environment import has, python_with

PROGRAM = Path(__file__).resolve().parent.parent / "build" / "easgd"
SIDE, CLASSES, IMAGES = 10, 4, 200
MEAN, DEVIATION = 0.5, 0.25
CONFIG = f"""
name = "ecosystem"
[algorithm]
name = "easgd"
beta = 0.9
tau = 2
learning_rate = 0.05
[network]
layer = [
  {{ type = "conv", channels = 4, kernel = 3 }}, {{ type = "batchnorm" }}, {{ type = "relu" }},
  {{ type = "linear", outputs = {CLASSES} }}, {{ type = "softmax_cross_entropy" }},
]
[data]
set = "idx"
mean = [{MEAN}]
deviation = [{DEVIATION}]
[workers]
devices = ["cpu", "cpu"]
threads = 1
batch = 20
[stop]
epochs = 2
"""


def python_with_safetensors(folder: Path) -> Path:
    """The one that was named, or a virtual environment, made if it is not there yet."""
    named = os.environ.get("EASGD_TORCH_PYTHON")
    if named and has(Path(named), "safetensors", "numpy", "torch"):
        return Path(named)
    return python_with(folder, "safetensors", "numpy")


def easgd(*words) -> str:
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout


class Run:
    """A training on pictures of its own, in a folder that goes with it."""

    def __init__(self) -> None:
        import numpy as np
        self.place = tempfile.TemporaryDirectory()
        folder = Path(self.place.name)
        draw = np.random.default_rng(1)
        for half, count in (("train", IMAGES), ("t10k", IMAGES // 2)):
            labels = draw.integers(CLASSES, size=count, dtype=np.uint8)
            images = draw.integers(256, size=(count, SIDE, SIDE), dtype=np.uint8)
            images[np.arange(count), labels] = 255  # the row tells the class
            for what, values in (("images", images), ("labels", labels)):
                header = struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape)
                path = folder / f"{half}-{what}-idx{values.ndim}-ubyte"
                path.write_bytes(header + values.tobytes())
        self.images, self.labels = images, labels  # the test half
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG)
        self.folder, self.data = folder / "run", f"data.dir={folder}"
        easgd("train", self.config, "--out", self.folder, "--set", self.data)
        self.center = self.folder / "center.safetensors"

    def evaluate(self, path: Path) -> tuple[float, float]:
        """Test loss and error."""
        said = easgd("evaluate", path, "--config", self.config, "--set", self.data)
        loss, error = re.search(r"test loss ([\d.]+), test error ([\d.]+) %", said).groups()
        return float(loss), float(error) / 100


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_ = Run()

    def test_a_center_opens(self):
        import numpy as np
        from safetensors import safe_open
        from safetensors.numpy import load_file
        wanted = {"conv1.weight": (4, 1, 3, 3), "conv1.bias": (4,), "batchnorm2.weight": (4,),
                  "batchnorm2.bias": (4,), "batchnorm2.running_mean": (4,),
                  "batchnorm2.running_var": (4,), "linear4.weight": (CLASSES, 256),
                  "linear4.bias": (CLASSES,)}
        center = load_file(self.run_.center)
        self.assertEqual({re.sub(r"\d+\.", ".", k): v for k, v in wanted.items()},
                         {re.sub(r"\d+\.", ".", k): v.shape for k, v in center.items()})
        self.assertTrue(all(np.isfinite(v).all() and v.dtype == np.float32 for v in center.values()))
        with safe_open(self.run_.center, "np") as file:
            self.assertIn("easgd.version", file.metadata())

    def test_other_types_are_read_as_the_package_writes_them(self):
        import numpy as np
        from safetensors.numpy import load_file, save_file
        center = load_file(self.run_.center)
        losses = {self.run_.evaluate(self.run_.center)}
        for kind in (np.float64, np.float16):
            stored = {f"module.{key}": value.astype(kind)
                      for key, value in reversed(center.items())}
            counts = {"module.batchnorm2.num_batches_tracked": np.array(7)}
            path, plain = self.run_.folder / "stored", self.run_.folder / "plain"
            save_file(stored | counts, path, {"of": "others"})
            save_file({key: stored[f"module.{key}"].astype(np.float32) for key in center}, plain)
            self.assertEqual(self.run_.evaluate(plain), self.run_.evaluate(path), kind)
            losses.add(self.run_.evaluate(path))
        self.assertEqual(2, len(losses))  # double holds the same values, half precision does not

    def test_a_run_starts_from_what_the_package_has_written(self):
        from safetensors.numpy import load_file, save_file
        center = load_file(self.run_.center)
        start, out = self.run_.folder / "start.safetensors", self.run_.folder / "again"
        save_file(center, start)
        easgd("train", self.run_.config, "--out", out, "--set", self.run_.data, "--set",
              f"network.init={start}", "--set", "algorithm.learning_rate=1e-12", "--set",
              "algorithm.name=sgd", "--set", "algorithm.beta=", "--set", "workers.devices=cpu",
              "--set", "network.statistics=keep", "--set", "stop.steps=1")
        again = load_file(out / "center.safetensors")
        for name, values in center.items():
            if "running" not in name:
                self.assertLess(abs(values - again[name]).max(), 1e-9, name)


def torch_is_there() -> bool:
    return has(Path(sys.executable), "torch")


class PyTorch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not torch_is_there():
            raise unittest.SkipTest("no torch: EASGD_TORCH_PYTHON names a python that has it")
        cls.run_ = Run()

    def network(self):
        import torch
        from torch import nn
        names = ("conv1", "batchnorm2", "relu3", "flatten", "linear4")
        layers = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                  nn.Linear(256, CLASSES))
        torch.manual_seed(2)
        net = nn.Sequential()
        for name, layer in zip(names, layers):
            net.add_module(name, layer)
        return net

    def losses(self, net) -> tuple[float, float]:
        """As PyTorch has them, in double."""
        import torch
        images = torch.tensor(self.run_.images[:, None] / 255.0, dtype=torch.float64)
        labels = torch.tensor(self.run_.labels.astype(int))
        with torch.no_grad():
            logits = net.double().eval()((images - MEAN) / DEVIATION)
        return (torch.nn.functional.cross_entropy(logits, labels).item(),
                (logits.argmax(1) != labels).double().mean().item())

    def assert_same(self, net, path: Path) -> None:
        for theirs, ours in zip(self.losses(net), self.run_.evaluate(path)):
            self.assertAlmostEqual(theirs, ours, delta=2e-6)

    def test_a_center_is_a_state_dict(self):
        from safetensors.torch import load_file
        net = self.network()
        net.load_state_dict(load_file(self.run_.center))  # strictly: nothing missing, nothing over
        self.assert_same(net, self.run_.center)

    def test_a_state_dict_is_evaluated(self):
        import torch
        from safetensors.torch import save_file
        net = torch.nn.DataParallel(self.network())
        net(torch.randn(50, 1, SIDE, SIDE) + 1)  # moves the running statistics
        for kind in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            path = self.run_.folder / f"{kind}.safetensors"
            stored = {key: value.to(kind) if value.is_floating_point() else value
                      for key, value in net.state_dict().items()}
            save_file(stored, path, metadata={"format": "pt"})
            other = torch.nn.DataParallel(self.network())
            other.load_state_dict(stored)
            self.assert_same(other, path)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        PROGRAM = Path(sys.argv[1]).resolve()
        python = python_with_safetensors(Path(sys.argv[2]))
        sys.exit(subprocess.run([python, __file__, PROGRAM], check=False).returncode)
    PROGRAM = Path(sys.argv.pop(1)).resolve()
    unittest.main()
