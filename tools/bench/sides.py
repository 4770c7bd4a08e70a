"""easgd and PyTorch training one network, for the benchmarks that compare them."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from steady_rate import ROOT, steady_rate

NETWORKS = ("cifar7", "vgg", "lenet", "resnet18", "resnet20")  # on built-in data
CONFIG = "cifar10_msgd.toml"
BATCH = 128


@functools.cache
def of_ten_classes() -> Path:
    """The network of configs/imagenet_resnet50.toml for as many."""
    file = ROOT / "build/resnet50-of-ten-classes.toml"
    thousand = (ROOT / "configs/networks/imagenet_resnet50.toml").read_text()
    assert thousand.count("outputs = 1000") == 1
    file.write_text(thousand.replace("outputs = 1000", "outputs = 10"))
    return file


@dataclass(frozen=True)
class Case:
    """One worker of momentum SGD, batch 128."""
    network: str
    threads: int = 1
    precision: str = "f32"
    device: str = "cpu"
    plans: str = "ranking"
    photos: Path | None = None  # for resnet50: of ten classes

    def settings(self) -> list[str]:
        crop = {"cifar7": 28, "lenet": 28, "resnet50": 224}.get(self.network, 32)
        file = of_ten_classes() if self.photos else ROOT / f"configs/networks/{self.network}.toml"
        data = []
        if self.photos:
            data = ["data.set=image_folder", f"data.dir={self.photos}", "data.holdout=0.2", "data.crop_kind=resized"]
        cpu = self.device == "cpu"
        return [*data, f"data.crop={crop}", f"network.file={file}", f"workers.devices={'cpu' if cpu else '[0]'}",
                f"workers.threads={self.threads if cpu else 1}", f"workers.precision={self.precision}",
                f"workers.plans={self.plans}"]

    def easgd(self, steps: int) -> float:
        """Images a second. Raises what steady_rate does."""
        return steady_rate(CONFIG, self.settings(), steps)

    def torch(self, python: str, ways: list[str], steps: int) -> tuple[dict[str, float], str]:
        """Images a second of each way of torch_side.py, and PyTorch's version."""
        out = subprocess.run([python, ROOT / "tools/bench/torch_side.py", str(steps), str(self.threads), self.precision,
                              self.device, self.network, *ways], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        return {way: float(speed) for way, speed in zip(ways, out[1:])}, out[0]


def torch_python() -> str:
    """A python that can import torch: $EASGD_TORCH_PYTHON, else one that is made in build/pytorch-venv."""
    given = os.environ.get("EASGD_TORCH_PYTHON")
    if given:
        return given
    python = ROOT / "build/pytorch-venv/bin/python"
    if not python.exists() or subprocess.run([python, "-c", "import torch"], capture_output=True).returncode != 0:
        print("making build/pytorch-venv with PyTorch ...", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "torch", "numpy"], check=True)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{sys.argv[0]}: no PyTorch ({error}); set $EASGD_TORCH_PYTHON")
    return str(python)


def processor(device: str = "cpu") -> str:
    if device == "cuda":
        return subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
                              check=True, capture_output=True, text=True).stdout.strip()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"
