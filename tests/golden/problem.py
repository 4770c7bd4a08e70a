"""The golden problems: nets, initial weights and batches, made from Philox alone.

Both sides make the same inputs, so the files of this folder hold results only.

  weights   tensor t (in the order of `tensors`), element i (PyTorch order):
            bound (2 u - 1), u = uniform(seed, initial_weights, 0, t, i), bound = sqrt(6 / fan_in);
            biases are zero, scales of batch normalisation one. That is `initialise` of
            src/nn/network.cpp with init = "he".
  label     of sample n: below(10, seed, synthetic_data, 3, n, 0)
  image     of sample n: a grid [C][8][8], enlarged to [C][28][28] and rounded to float32, with
            grid[i] = signed(1, label, i) + signed(2, n, i) / 8, in double,
            signed(worker, step, i) = 2 uniform(seed, synthetic_data, worker, step, i) - 1
            pixel (y, x) of a channel is bilinear between four grid points: with Y = y / 4, f = y % 4,
            X = x / 4, h = x % 4 (integers): ((4-f)(4-h) g[Y][X] + (4-f) h g[Y][X+1]
            + f (4-h) g[Y+1][X] + f h g[Y+1][X+1]) / 16, which is exact in double.
  batch     b holds samples 32 b .. 32 b + 31; step t takes batch t mod 20.

Why smooth images and a small learning rate: on white noise at rate 0.01 the trajectory is chaotic. One
max-pooling window whose two largest values nearly tie sends its gradient elsewhere in float32 than in
float64, and a few steps later the losses differ by percents. Here they agree to 1e-4 or better
over all 200 steps (`float32_deviation` in the files says how well).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import philox

SEED = 20150507
BATCH = 32
BATCHES = 20
STEPS = 200
CLASSES = 10
GRID = 8  # side of the grid an image is enlarged from
SAMPLED = 1024  # elements kept of each gradient tensor
LEARNING_RATE = 0.0003
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4


@dataclass(frozen=True)
class Layer:
    kind: str  # conv | maxpool | relu | gelu | silu | linear | batchnorm | residual | bottleneck | avgpool | global_avgpool
    name: str = ""
    inputs: int = 0
    outputs: int = 0
    kernel: int | tuple[int, int] = 0
    stride: int = 1
    bias: bool = True
    pad: int | tuple[int, int] = 0
    groups: int = 1

    def dims(self) -> tuple[int, ...]:
        """Of its weight."""
        if self.kind != "conv":
            return self.outputs, self.inputs
        sides = self.kernel if isinstance(self.kernel, tuple) else (self.kernel, self.kernel)
        return (self.outputs, self.inputs // self.groups) + sides


def parts(layer: Layer) -> list[Layer]:
    """The layers with tensors that a layer stands for, in the order of src/nn/residual.cpp and bottleneck.cpp."""
    name, i, o, s = layer.name, layer.inputs, layer.outputs, layer.stride
    inside = o // 4
    if layer.kind == "residual":
        found = [Layer("conv", f"{name}.conv1", i, o, 3, s, False, 1), Layer("batchnorm", f"{name}.bn1", o, o),
             Layer("conv", f"{name}.conv2", o, o, 3, 1, False, 1), Layer("batchnorm", f"{name}.bn2", o, o)]
    elif layer.kind == "bottleneck":
        found = [Layer("conv", f"{name}.conv1", i, inside, 1, 1, False), Layer("batchnorm", f"{name}.bn1", inside, inside),
                 Layer("conv", f"{name}.conv2", inside, inside, 3, s, False, 1), Layer("batchnorm", f"{name}.bn2", inside, inside),
                 Layer("conv", f"{name}.conv3", inside, o, 1, 1, False), Layer("batchnorm", f"{name}.bn3", o, o)]
    else:
        return [layer]
    if (i, s) != (o, 1):
        found += [Layer("conv", f"{name}.downsample.0", i, o, 1, s, False),
                  Layer("batchnorm", f"{name}.downsample.1", o, o)]
    return found


@dataclass(frozen=True)
class Problem:
    name: str
    shape: tuple[int, int, int]  # of one image, [C][H][W]
    layers: tuple[Layer, ...]
    label_smoothing: float = 0


CIFAR7 = Problem("cifar7", (3, 28, 28), (
    Layer("conv", "conv1", 3, 64, 5), Layer("relu"), Layer("maxpool"),
    Layer("conv", "conv2", 64, 128, 5), Layer("relu"), Layer("maxpool"),
    Layer("conv", "conv3", 128, 64, 3), Layer("relu"),
    Layer("linear", "linear1", 256, 256), Layer("relu"),
    Layer("linear", "linear2", 256, 10)))

LENET = Problem("lenet", (1, 28, 28), (
    Layer("conv", "conv1", 1, 20, 5), Layer("maxpool"),
    Layer("conv", "conv2", 20, 50, 5), Layer("maxpool"),
    Layer("linear", "linear1", 800, 500), Layer("relu"),
    Layer("linear", "linear2", 500, 10)))

RESIDUAL = Problem("residual", (3, 28, 28), (
    Layer("conv", "conv1", 3, 16, 3, bias=False, pad=1), Layer("batchnorm", "bn1", 16, 16), Layer("relu"),
    Layer("maxpool"), Layer("residual", "block1", 16, 16), Layer("residual", "block2", 16, 32, stride=2),
    Layer("avgpool", kernel=7), Layer("linear", "linear1", 32, 10)))

MODERN = Problem("modern", (3, 28, 28), (
    Layer("conv", "conv1", 3, 16, 3, stride=2, bias=False, pad=1), Layer("batchnorm", "bn1", 16, 16), Layer("silu"),
    Layer("maxpool", kernel=3, stride=2, pad=1),
    Layer("conv", "conv2", 16, 16, 5, pad=2, groups=16), Layer("gelu"),
    Layer("conv", "conv3", 16, 32, (1, 3), pad=(0, 1)),
    Layer("conv", "conv4", 32, 32, 3, pad=1, groups=4), Layer("relu"),
    Layer("bottleneck", "block1", 32, 64, stride=2), Layer("global_avgpool"),
    Layer("linear", "linear1", 64, 10, bias=False)), label_smoothing=0.1)

PROBLEMS = (CIFAR7, LENET, RESIDUAL, MODERN)


def tensors(problem: Problem) -> dict[str, np.ndarray]:
    """Initial weights by name, float32, PyTorch shapes, in the order of the flat vector."""
    result: dict[str, np.ndarray] = {}
    for layer in (part for whole in problem.layers for part in parts(whole)):
        if not layer.name:
            continue
        if layer.kind == "batchnorm":
            result[layer.name + ".weight"] = np.ones(layer.outputs, np.float32)
            result[layer.name + ".bias"] = np.zeros(layer.outputs, np.float32)
            continue
        dims = layer.dims()
        count = int(np.prod(dims))
        bound = np.sqrt(6.0 / (count // layer.outputs))
        u = philox.uniform(SEED, philox.INITIAL_WEIGHTS, 0, len(result), np.arange(count))
        result[layer.name + ".weight"] = (bound * (2 * u - 1)).astype(np.float32).reshape(dims)
        if layer.bias:
            result[layer.name + ".bias"] = np.zeros(layer.outputs, np.float32)
    return result


def batch(problem: Problem, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [32][C][28][28] in float32 and labels [32] of a batch."""
    n = np.arange(number * BATCH, (number + 1) * BATCH)
    labels = philox.below(CLASSES, SEED, philox.SYNTHETIC_DATA, 3, n, 0)
    channels = problem.shape[0]
    index = np.arange(channels * GRID * GRID)[None, :]

    def signed(worker: int, step: np.ndarray) -> np.ndarray:
        return 2 * philox.uniform(SEED, philox.SYNTHETIC_DATA, worker, step[:, None], index) - 1

    grid = (signed(1, labels) + signed(2, n) / 8).reshape(BATCH, channels, GRID, GRID)
    return (_enlarge(grid) / 16).astype(np.float32), labels


def _enlarge(grid: np.ndarray) -> np.ndarray:
    """16 times the bilinear enlargement [..][8][8] -> [..][28][28]."""
    for axis in (-2, -1):
        where, part = np.divmod(np.arange(28), 4)
        weight = part if axis == -1 else part[:, None]
        grid = (4 - weight) * grid.take(where, axis) + weight * grid.take(where + 1, axis)
    return grid


def sampled(count: int, tensor: int) -> np.ndarray:
    """Which elements of gradient tensor number `tensor` are kept: all of a small one, else element
    below(count, seed, synthetic_data, 4, tensor, j) for j = 0 .. 1023 (repetitions are kept)."""
    if count <= SAMPLED:
        return np.arange(count)
    return philox.below(count, SEED, philox.SYNTHETIC_DATA, 4, tensor, np.arange(SAMPLED))
