#!/usr/bin/env python3
"""Checks the golden files of plain nets against a second implementation, in numpy and float64, without PyTorch.

check_golden.py [STEPS]     steps of each trajectory to follow (default 10)
Exit code 1: a gradient or a loss differs by more than 1e-8 of itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import philox
import problem as golden

TOLERANCE = 1e-8  # the files keep nine digits


def conv(x, w, b):
    windows = sliding_window_view(x, w.shape[2:], (2, 3))  # [N][C][H][W][k][k]
    y = np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2) + b[:, None, None]

    def backward(dy):
        dw = np.tensordot(dy, windows, ((0, 2, 3), (0, 2, 3)))
        edge = w.shape[2] - 1
        wide = np.pad(dy, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
        dx = np.tensordot(sliding_window_view(wide, w.shape[2:], (2, 3)), w[:, :, ::-1, ::-1],
                          ((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
        return dx, dw, dy.sum((0, 2, 3))
    return y, backward


def linear(x, w, b):
    flat = x.reshape(len(x), -1)
    return flat @ w.T + b, lambda dy: ((dy @ w).reshape(x.shape), dy.T @ flat, dy.sum(0))


def relu(x, *_):
    return np.maximum(x, 0), lambda dy: (dy * (x > 0), None, None)


def maxpool(x, *_):
    n, c, h, w = x.shape
    windows = x.reshape(n, c, h // 2, 2, w // 2, 2).swapaxes(3, 4).reshape(n, c, h // 2, w // 2, 4)
    chosen = np.eye(4)[windows.argmax(-1)]

    def backward(dy):
        blocks = (chosen * dy[..., None]).reshape(n, c, h // 2, w // 2, 2, 2)
        return blocks.swapaxes(3, 4).reshape(x.shape), None, None
    return windows.max(-1), backward


def loss_and_gradient(problem: golden.Problem, weights: dict, images, labels):
    kinds = {"conv": conv, "linear": linear, "relu": relu, "maxpool": maxpool}
    x, tape, gradient = images.astype(np.float64), [], {}
    for layer in problem.layers:
        x, backward = kinds[layer.kind](x, weights.get(layer.name + ".weight"),
                                        weights.get(layer.name + ".bias"))
        tape.append((layer.name, backward))
    shifted = x - x.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    d = (np.exp(log_p) - np.eye(golden.CLASSES)[labels]) / len(labels)
    for name, backward in reversed(tape):
        d, dw, db = backward(d)
        if name:
            gradient[name + ".weight"], gradient[name + ".bias"] = dw, db
    return -log_p[np.arange(len(labels)), labels].mean(), gradient


def check(problem: golden.Problem, steps: int) -> bool:
    """Follows the trajectory in the project's own variables: x, v and the look-ahead point y."""
    stored = json.loads(Path(__file__).with_name(problem.name + ".json").read_text())
    x = {name: w.astype(np.float64) for name, w in golden.tensors(problem).items()}
    y, v = dict(x), {name: np.zeros_like(w) for name, w in x.items()}
    worst_loss = worst_gradient = 0.0
    for step in range(steps):
        loss, gradient = loss_and_gradient(problem, y, *golden.batch(problem, step % golden.BATCHES))
        worst_loss = max(worst_loss, abs(loss / stored["losses"][step] - 1))
        if step == 0:
            for number, tensor in enumerate(stored["tensors"]):
                g = gradient[tensor["name"]].ravel()
                kept = np.array(tensor["gradient"])
                wrong = np.linalg.norm(g[golden.sampled(g.size, number)] - kept) / np.linalg.norm(kept)
                worst_gradient = max(worst_gradient, wrong, abs(np.linalg.norm(g) / tensor["norm"] - 1))
        for name, g in gradient.items():
            v[name] = golden.MOMENTUM * v[name] - golden.LEARNING_RATE * (g + golden.WEIGHT_DECAY * y[name])
            x[name] = x[name] + v[name]
            y[name] = x[name] + golden.MOMENTUM * v[name]
    good = max(worst_loss, worst_gradient) < TOLERANCE
    print(f"{problem.name}: gradient within {worst_gradient:.1e}, {steps} losses within "
          f"{worst_loss:.1e}: {'good' if good else 'WRONG'}")
    return good


def main(arguments: list[str]) -> int:
    philox.check()
    steps = int(arguments[0]) if arguments else 10
    return 0 if all([check(problem, steps) for problem in (golden.CIFAR7, golden.LENET)]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
