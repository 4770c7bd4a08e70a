#!/usr/bin/env python3
"""Makes cifar7.json, lenet.json, residual.json and modern.json with PyTorch. The suite does not run this; its results are committed.

Needs torch and numpy (a virtual environment will do):  make_golden.py [cifar7] [lenet] [residual] [modern]

Each file: the settings, and per tensor the gradient of the mean loss of batch 0 at the initial weights
(weight decay not included; all of a small tensor, else 1024 elements, see `sampled` in problem.py),
and the losses of 200 Nesterov steps, everything computed in float64; and the running statistics of
batch normalisations after them, [running_mean, running_var] by name.

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


class Net:
    """A problem's forward pass in training."""

    def __init__(self, problem: golden.Problem, dtype: torch.dtype):
        self.problem = problem
        self.weights = {name: torch.tensor(value, dtype=dtype, requires_grad=True)
                        for name, value in golden.tensors(problem).items()}
        self.statistics = {part.name: (torch.zeros(part.outputs, dtype=dtype),
                                       torch.ones(part.outputs, dtype=dtype))
                           for layer in problem.layers for part in golden.parts(layer)
                           if part.kind == "batchnorm"}

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.problem.layers:
            block = {"residual": self.residual, "bottleneck": self.bottleneck}.get(layer.kind, self.apply)
            x = block(layer, x)
        return x

    def apply(self, layer: golden.Layer, x: torch.Tensor) -> torch.Tensor:
        weight, bias = (self.weights.get(f"{layer.name}.{kind}") for kind in ("weight", "bias"))
        match layer.kind:
            case "relu":
                return F.relu(x)
            case "gelu":
                return F.gelu(x)
            case "silu":
                return F.silu(x)
            case "maxpool":
                return F.max_pool2d(x, layer.kernel, layer.stride, layer.pad) if layer.kernel else F.max_pool2d(x, 2)
            case "avgpool":
                return F.avg_pool2d(x, layer.kernel)
            case "global_avgpool":
                return F.adaptive_avg_pool2d(x, 1)
            case "batchnorm":
                return F.batch_norm(x, *self.statistics[layer.name], weight, bias, training=True)
            case "conv":
                return F.conv2d(x, weight, bias, layer.stride, layer.pad, groups=layer.groups)
        return F.linear(x.flatten(1), weight, bias)

    def residual(self, layer: golden.Layer, x: torch.Tensor) -> torch.Tensor:
        """torchvision's BasicBlock.forward."""
        part = {p.name.removeprefix(layer.name + "."): p for p in golden.parts(layer)}
        y = F.relu(self.apply(part["bn1"], self.apply(part["conv1"], x)))
        y = self.apply(part["bn2"], self.apply(part["conv2"], y))
        return F.relu(y + self.shortcut(part, x))

    def bottleneck(self, layer: golden.Layer, x: torch.Tensor) -> torch.Tensor:
        """torchvision's Bottleneck.forward."""
        part = {p.name.removeprefix(layer.name + "."): p for p in golden.parts(layer)}
        y = F.relu(self.apply(part["bn1"], self.apply(part["conv1"], x)))
        y = F.relu(self.apply(part["bn2"], self.apply(part["conv2"], y)))
        y = self.apply(part["bn3"], self.apply(part["conv3"], y))
        return F.relu(y + self.shortcut(part, x))

    def shortcut(self, part: dict[str, golden.Layer], x: torch.Tensor) -> torch.Tensor:
        if "downsample.0" not in part:
            return x
        return self.apply(part["downsample.1"], self.apply(part["downsample.0"], x))


def train(problem: golden.Problem, dtype: torch.dtype) -> tuple[list[float], dict[str, np.ndarray], Net]:
    """The losses, the gradient of the first step, and the net after the last."""
    net = Net(problem, dtype)
    weights = net.weights
    optimiser = torch.optim.SGD(weights.values(), lr=golden.LEARNING_RATE, momentum=golden.MOMENTUM,
                                weight_decay=golden.WEIGHT_DECAY, nesterov=True)
    batches = [golden.batch(problem, b) for b in range(golden.BATCHES)]
    losses: list[float] = []
    first: dict[str, np.ndarray] = {}
    for step in range(golden.STEPS):
        images, labels = batches[step % golden.BATCHES]
        optimiser.zero_grad()
        loss = F.cross_entropy(net.logits(torch.tensor(images, dtype=dtype)),
                               torch.tensor(labels), label_smoothing=problem.label_smoothing)
        loss.backward()
        if step == 0:
            first = {name: w.grad.double().numpy().copy() for name, w in weights.items()}
        optimiser.step()
        losses.append(loss.item())
    return losses, first, net


def rounded(values) -> list[float]:
    """Nine digits: more than float32 holds."""
    return [float(f"{v:.9g}") for v in np.ravel(values)]


def result(problem: golden.Problem) -> dict:
    losses, gradients, net = train(problem, torch.float64)
    losses32, gradients32, _ = train(problem, torch.float32)
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
        "losses": rounded(losses), "tensors": tensors,
        "normalisations": list(net.statistics),
        "statistics": {name: [rounded(s) for s in pair] for name, pair in net.statistics.items()}}


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
