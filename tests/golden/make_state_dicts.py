#!/usr/bin/env python3
"""Makes state_dict.json and state_dict_{F32,F16,BF16,F64}.safetensors: what PyTorch and the safetensors package write.

The suite does not run this; its results are committed. Needs torch, numpy and safetensors.

Each file is the state dict of one network under DataParallel ("module." before all names, with
num_batches_tracked), converted to a dtype by PyTorch. The JSON has, of each dtype, the values as PyTorch
converts them to float32, by name, and the mean loss of a batch of images, computed in float64 by these
values. Some values are beyond what is usual: subnormal in half precision, ties between two floats.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

IMAGES, CHANNELS, SIDE, CLASSES = 6, 2, 6, 3
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


class Net(nn.Module):
    """As "conv channels=3 kernel=3; batchnorm; relu; linear outputs=3" is named by the tests."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, 3, 3)
        self.batchnorm2 = nn.BatchNorm2d(3)
        self.linear4 = nn.Linear(3 * (SIDE - 2) ** 2, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear4(F.relu(self.batchnorm2(self.conv1(x))).flatten(1))


def trained() -> nn.DataParallel:
    """Its running statistics have seen a batch."""
    torch.manual_seed(1)
    net = nn.DataParallel(Net().double())
    net(torch.randn(32, CHANNELS, SIDE, SIDE, dtype=torch.float64))
    with torch.no_grad():
        net.module.conv1.bias[:] = torch.tensor([3e-7, 1 + 2.0 ** -24, 1 + 3 * 2.0 ** -24])
        net.module.linear4.bias[0] = 1e-41
    return net.eval()


def main() -> int:
    folder = Path(__file__).resolve().parent
    net = trained()
    images = torch.round(torch.randn(IMAGES, CHANNELS, SIDE, SIDE, dtype=torch.float64), decimals=3)
    labels = torch.arange(IMAGES) % CLASSES
    found = {"made_by": f"tests/golden/make_state_dicts.py, torch {torch.__version__}",
             "shape": [CHANNELS, SIDE, SIDE], "labels": labels.tolist(),
             "images": images.flatten().tolist(), "files": {}}
    for name, dtype in DTYPES.items():
        path = folder / f"state_dict_{name}.safetensors"
        save_file({key: value.to(dtype) if value.is_floating_point() else value
                   for key, value in net.state_dict().items()}, path,
                  metadata={"format": "pt", "made_by": "another program"})
        read = {key: value.float() if value.is_floating_point() else value
                for key, value in load_file(path).items()}
        other = nn.DataParallel(Net().double()).eval()
        other.load_state_dict(read)
        with torch.no_grad():
            loss = F.cross_entropy(other(images), labels).item()
        found["files"][name] = {"loss": loss, "tensors": {
            key.removeprefix("module."): [float(v) for v in value.flatten()]
            for key, value in read.items() if value.is_floating_point()}}
        print(f"{path.name}: {path.stat().st_size} bytes, loss {loss}")
    (folder / "state_dict.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
