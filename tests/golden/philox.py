"""Philox 4x32-10 in numpy: the same numbers as kernels/philox.h.

Source: [Philox11] figure 2; known answers in `check`.
"""

from __future__ import annotations

import numpy as np

# Stream, as in kernels/philox.h.
INITIAL_WEIGHTS = 1
SYNTHETIC_DATA = 5

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox(counter: list, key: tuple[int, int]) -> list[np.ndarray]:
    """The block cipher: counter is four arrays of 32-bit words held in uint64, which broadcast."""
    c = [np.asarray(word, np.uint64) for word in counter]
    key0, key1 = key
    for _ in range(10):
        a = np.uint64(0xD2511F53) * c[0]
        b = np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> _SHIFT) ^ c[1] ^ np.uint64(key0), b & _LOW,
             (a >> _SHIFT) ^ c[3] ^ np.uint64(key1), a & _LOW]
        key0 = (key0 + 0x9E3779B9) & 0xFFFFFFFF
        key1 = (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def word(seed: int, stream: int, worker: int, step, index) -> np.ndarray:
    """Random{seed, stream, worker}.at(step, index).value[0]; step and index broadcast."""
    step = np.asarray(step, np.uint64)
    counter = [index, step & _LOW, step >> _SHIFT, (stream << 16) | worker]
    return philox(counter, (seed & 0xFFFFFFFF, seed >> 32))[0]


def uniform(seed: int, stream: int, worker: int, step, index) -> np.ndarray:
    """Random4::uniform(0): [0, 1), a multiple of 2^-24, in double."""
    return (word(seed, stream, worker, step, index) >> np.uint64(8)).astype(np.float64) * 2.0**-24


def below(bound: int, seed: int, stream: int, worker: int, step, index) -> np.ndarray:
    """Random4::below(0, bound)."""
    product = word(seed, stream, worker, step, index) * np.uint64(bound)
    return (product >> _SHIFT).astype(np.int64)


def check() -> None:
    """Known answers of the Random123 distribution."""
    known = [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
         (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ]
    for counter, key, answer in known:
        if tuple(int(w) for w in philox(list(counter), key)) != answer:
            raise AssertionError(f"philox: wrong answer for counter {counter}")
