#!/usr/bin/env python3
"""Makes cifar7.json and lenet.json with PyTorch. The suite does not run this; its results are committed.

Needs torch and numpy (a virtual environment will do):  make_golden.py [cifar7] [lenet]

Each file: the settings, and per tensor the gradient of the mean loss of batch 0 at the initial weights
(weight decay not included; all of a small tensor, else 1024 elements, see `sampled` in problem.py),
and the losses of 200 Nesterov steps, everything computed in float64.

    ||g - gradient|| / ||gradient|| over a whole tensor is estimated by the same ratio over the kept
    elements; `norm` is that of the whole tensor.

torch.optim.SGD(nesterov=True) keeps the look-ahead point y = x + delta v, not x: its parameters are our
y and its momentum buffer is -v / learning_rate. So losses[t] is the loss at y before step t, where the
gradient is taken too, with weight decay at y as well, as in kernels/local_step.h (NesterovStep).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import philox
import problem as golden


def logits(problem: golden.Problem, weights: dict[str, torch.Tensor], x: torch.Tensor):
    for layer in problem.layers:
        if layer.kind == "relu":
            x = F.relu(x)
        elif layer.kind == "maxpool":
            x = F.max_pool2d(x, 2)
        else:
            weight, bias = weights[layer.name + ".weight"], weights[layer.name + ".bias"]
            x = F.conv2d(x, weight, bias) if layer.kind == "conv" else F.linear(x.flatten(1), weight, bias)
    return x


def train(problem: golden.Problem, dtype: torch.dtype) -> tuple[list[float], dict[str, np.ndarray]]:
    """The losses, and the gradient of the first step."""
    weights = {name: torch.tensor(value, dtype=dtype, requires_grad=True)
               for name, value in golden.tensors(problem).items()}
    optimiser = torch.optim.SGD(weights.values(), lr=golden.LEARNING_RATE, momentum=golden.MOMENTUM,
                                weight_decay=golden.WEIGHT_DECAY, nesterov=True)
    batches = [golden.batch(problem, b) for b in range(golden.BATCHES)]
    losses: list[float] = []
    first: dict[str, np.ndarray] = {}
    for step in range(golden.STEPS):
        images, labels = batches[step % golden.BATCHES]
        optimiser.zero_grad()
        loss = F.cross_entropy(logits(problem, weights, torch.tensor(images, dtype=dtype)),
                               torch.tensor(labels))
        loss.backward()
        if step == 0:
            first = {name: w.grad.double().numpy().copy() for name, w in weights.items()}
        optimiser.step()
        losses.append(loss.item())
    return losses, first


def rounded(values) -> list[float]:
    """Nine digits: more than float32 holds."""
    return [float(f"{v:.9g}") for v in np.ravel(values)]


def result(problem: golden.Problem) -> dict:
    losses, gradients = train(problem, torch.float64)
    losses32, gradients32 = train(problem, torch.float32)
    tensors = []
    for number, (name, g) in enumerate(gradients.items()):
        norm = np.linalg.norm(g)
        tensors.append({
            "name": name, "dims": list(g.shape), "norm": rounded(norm)[0],
            "float32_deviation": float(f"{np.linalg.norm(gradients32[name] - g) / norm:.2g}"),
            "gradient": rounded(g.ravel()[golden.sampled(g.size, number)])})
    deviation = np.max(np.abs(np.array(losses32) / losses - 1))
    return {
        "made_by": f"tests/golden/make_golden.py, torch {torch.__version__}, float64",
        "seed": golden.SEED, "batch": golden.BATCH, "batches": golden.BATCHES,
        "learning_rate": golden.LEARNING_RATE, "momentum": golden.MOMENTUM,
        "weight_decay": golden.WEIGHT_DECAY,
        "float32_deviation": float(f"{deviation:.2g}"),
        "losses": rounded(losses), "tensors": tensors}


def main(names: list[str]) -> int:
    torch.set_num_threads(1)
    philox.check()
    for problem in golden.PROBLEMS:
        if names and problem.name not in names:
            continue
        path = Path(__file__).with_name(problem.name + ".json")
        content = result(problem)
        path.write_text(json.dumps(content, indent=None, separators=(",", ":")) + "\n")
        print(f"{path.name}: {path.stat().st_size} bytes, losses {content['losses'][0]:.4f} .. "
              f"{content['losses'][-1]:.4f}, float32 deviates by {content['float32_deviation']:.2g}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
