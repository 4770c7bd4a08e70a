#!/usr/bin/env python3
"""Makes tests/fuzz/seeds: small files of every format, from which the fuzzers start. The results are committed."""

from __future__ import annotations

import gzip
import io
import json
import struct
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "seeds"
LAYERS = """
[[network.layer]]
type = "conv"
channels = 3
kernel = 3
[[network.layer]]
type = "batchnorm"
[[network.layer]]
type = "relu"
[[network.layer]]
type = "residual"
channels = 4
stride = 2
[[network.layer]]
type = "dropout"
rate = 0.5
[[network.layer]]
type = "linear"
outputs = 3
[[network.layer]]
type = "softmax_cross_entropy"
"""
CONFIGS = {
    "free": """
name = "a"
seed = 7
[data]
set = "synthetic"
limit = 100
samples = 200
classes = 3
crop = 24
flip = true
mean = [0.1, 0.2, 3e-1]
deviation = [1, 1, 1]
[algorithm]
name = "eamsgd"
tau = 4
beta = 0.9
learning_rate = 0.1
momentum = 0.9
schedule = {kind = "steps", at = [0.5, 0.75], factor = 0.1, warmup = 0.1}
[workers]
devices = ["cpu", 'cpu']
batch = 32
[evaluate]
every = {seconds = 10, epochs = 0.5}
[stop]
epochs = 1
[checkpoint]
keep = 2
every.seconds = 300.5
""", "virtual": """
[data]
set = 'synthetic'
[algorithm]
name = "tree"
rho = 1.0
[tree]
fanout = 2
tau_up = 4
[center]
order = "virtual"
[virtual]
step_seconds = 0.03
jitter = 0.1
[workers]
devices = ["cpu","cpu","cpu","cpu"]
[stop]
steps = 10
"""}
SWEEPS = {
    "axes": """
name = "tau"
base = "base.toml"
seeds = 3
adapt = true
[set]
"stop.epochs" = 2
"algorithm.beta" = ""
[axes]
"algorithm.tau" = [1, 4, 16]
"algorithm.rho" = {min = 0.01, max = 10, points = 5, scale = "log"}
""", "groups": """
base = "base.toml"
seeds = [1, 2]
method = "random"
runs = 4
concurrent = "auto"
require = ["algorithm.tau * algorithm.rho <= 10", "data.limit >= (3 + 1) / 2"]
[[group]]
"algorithm.name" = ["easgd", "msgd"]
[[group]]
"data.limit" = {min = 10, max = 100, step = 10}
[[zip]]
"algorithm.momentum" = [0.9, 0.99]
"algorithm.learning_rate" = [0.1, 0.01]
"""}
EVENTS = [
    {"event": "evaluation", "time": 1.5, "version": 3, "steps": [2, 1], "epoch": 0.1, "train_loss": None,
     "test_loss": 2.3, "test_error": 0.9},
    {"event": "progress", "time": 1.0, "fraction": 0.5, "epoch": 0.1, "images_per_second": 100,
     "workers": [{"worker": 0, "steps": 2, "data_seconds": 0.1, "gradient_seconds": 1, "exchange_seconds": 0,
                  "exchanges": 1, "refused": 0, "staleness": 0, "distance": 0.5, "train_loss": None}]},
    {"event": "warning", "message": "worker 1: \u00e4 letter", "worker": 1}]
SUMMARY = {"name": "a", "identity": "0123456789ab", "algorithm": "easgd", "exchange": "asynchronous", "backend": "cpu",
           "devices": ["cpu"], "workers": 1, "failed_workers": 0, "tau": 4, "alpha": 0.1, "rho": 1, "beta": 0.9,
           "seed": 1, "steps": [10], "epochs": 1, "wall_seconds": 2.5, "virtual_seconds": None,
           "images_per_second": 100.5, "version": 5, "train_loss": 1, "test_loss": 1, "test_error": 0.5,
           "best_test_error": 0.5, "time_to_error": {"0.5": 1.5}, "exchanges": 5, "refused_letters": 0,
           "exchange_wait_fraction": 0.1, "data_wait_fraction": 0, "status": "done",
           "environment": {"program": "0.1.0", "processor": "P", "cores": 2, "gpus": []}}
RUN = {"identity": "0123456789ab", "folder": "runs/0123456789ab", "seed": 1,
       "values": {"algorithm.tau": "4"}, "adapted": ["algorithm.tau=1"]}
MANIFEST = [
    {"event": "plan", "time": "2026-11-28T20:40:00Z", "name": "tau", "program": "0.1.0", "base": "ab", "total": 1,
     "axes": ["algorithm.tau"], "runs": [RUN]},
    {"event": "added", "time": "", "run": RUN | {"identity": "1123456789ab"}},
    {"event": "run", "time": "", "identity": "0123456789ab", "state": "failed", "attempt": 1, "exit_code": 3,
     "reason": "no data"}]


def put(target: str, name: str, content: bytes | str) -> None:
    path = FOLDER / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def lines(events: list[dict]) -> str:
    return "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)


def crc32c(data: bytes) -> int:
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def section(name: str, values: list[tuple[str, str, list | str]]) -> bytes:
    """As src/runs/checkpoint_file.h has it."""
    payload = b""
    for kind, key, value in values:
        content = value.encode() if kind == "t" else struct.pack(
            f"<{len(value)}{ {'f': 'f', 'u': 'Q', 'd': 'd'}[kind] }", *value)
        payload += kind.encode() + struct.pack("<I", len(key)) + key.encode() + struct.pack("<Q", len(value)) + content
    whole = struct.pack("<I", len(name)) + name.encode() + struct.pack("<Q", len(payload)) + payload
    return whole + struct.pack("<I", crc32c(whole))


def checksum(data: bytes) -> int:
    """As src/base/checksum.h has it."""
    mask, prime, start = (1 << 64) - 1, 0x100000001b3, 0xcbf29ce484222325
    lanes, whole = [start + i for i in range(4)], len(data) // 32 * 32
    for i, word in enumerate(struct.unpack(f"<{whole // 8}Q", data[:whole])):
        lanes[i % 4] = (lanes[i % 4] ^ word) * prime & mask
    value = len(data)
    for lane in lanes:
        value = ((value << 29 | value >> 35) & mask ^ lane) * prime & mask
    for byte in data[whole:]:
        value = (value ^ byte) * prime & mask
    return value


def with_checksum(data: bytes) -> bytes:
    return data + struct.pack("<Q", checksum(data))


def pictures() -> dict[str, bytes]:
    """Small files of every kind that is decoded in a way of its own."""
    from PIL import Image  # only who makes the seeds anew needs it
    image, exif = Image.linear_gradient("L").resize((23, 17)).convert("RGB"), Image.Exif()
    exif[0x0112] = 6
    kinds = {"baseline": (image, "JPEG", {"quality": 60}), "progressive": (image, "JPEG", {"progressive": True}),
             "turned": (image, "JPEG", {"exif": exif, "subsampling": "4:1:1"}), "cmyk": (image.convert("CMYK"), "JPEG", {}),
             "grey": (image.convert("L"), "JPEG", {}), "png": (image, "PNG", {}), "palette": (image.quantize(9), "PNG", {}),
             "bits": (image.convert("1"), "PNG", {}), "alpha": (image.convert("RGBA"), "PNG", {"exif": exif})}
    found = {}
    for name, (picture, format, options) in kinds.items():
        file = io.BytesIO()
        picture.save(file, format, **options)
        found[name] = file.getvalue()
    return found


def safetensors(entries: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, content) in entries.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def main() -> int:
    for name, text in CONFIGS.items():
        put("config", name, text + LAYERS)
        put("flat_table", name, text + LAYERS)
    for name, text in SWEEPS.items():
        put("sweep", name, text)
    put("metrics", "events", lines(EVENTS))
    put("summary", "whole", json.dumps(SUMMARY, separators=(",", ":")))
    put("manifest", "events", lines(MANIFEST))
    put("checkpoint", "whole", b"easgd checkpoint 1\n" + section(
        "center", [("u", "version", [3]), ("f", "x", [1.0, -2.5]), ("d", "seconds", [0.5]), ("t", "config", "seed = 1")])
        + section("worker 0", [("f", "v", []), ("u", "clock", [7])]) + section("end", []))
    config = b"name = \"a\"\n[[network.layer]]\ntype = \"softmax_cross_entropy\"\n"
    order = struct.pack("<II", 2, len(config)) + config + struct.pack("<4H2Q", 0, 1, 0, 0xffff, 2, 1)
    put("order", "two", b"easgd order 2\n\0\0" + order)
    put("order", "checked", b"easgd order 4\n\0\0" + order + bytes(8))  # the target mends the checksum
    put("safetensors", "module", safetensors({
        "module.linear4.bias": ("F32", [3], struct.pack("<3f", 1, -2, 1e-40)),
        "module.batchnorm2.running_var": ("F16", [3], b"\0\x3c\1\0\xff\x7b"),
        "module.conv1.bias": ("F64", [3], struct.pack("<3d", 1e300, 0.1, 2)),
        "module.batchnorm2.num_batches_tracked": ("I64", [], bytes(8))}))
    put("safetensors", "plain", safetensors({"conv1.bias": ("BF16", [3], b"\x80\x3f" * 3), "e": ("BOOL", [0, 2], b"")}))
    images = struct.pack(">I3I", 0x803, 2, 2, 3) + bytes(range(12))
    colours = struct.pack(">I4I", 0x804, 1, 2, 2, 3) + bytes(range(12))
    labels = struct.pack(">II", 0x801, 2) + b"\0\1"
    for name, content in (("images", b"\0" + images), ("colours", b"\2" + colours), ("labels", b"\1" + labels)):
        put("idx", name, content)
        put("gzip", name, content[:1] + gzip.compress(content[1:], mtime=0))
    put("gzip", "two-members", b"\1" + gzip.compress(labels[:5], mtime=0) + gzip.compress(labels[5:], mtime=0))
    put("cifar", "train", b"\0" + b"\1" + bytes(3072) + b"\2" + b"\xff" * 3072)
    put("cifar", "classes", b"\2" + b"cat\ndog\n\nbird\n")
    for name, content in pictures().items():
        put("picture", name, content)
    facts = struct.pack("<Q?II5Q", 1, True, 256, 0, 1, 1, 2, 1, 5) + struct.pack("<QQcQc", 2, 1, b"a", 1, b"b")
    put("pack", "facts", b"\0" + with_checksum(b"easgd pack 1\n" + facts))
    records = b"".join(struct.pack("<QQQiHHQ", 90 * i, 90, 7, i, 5, 6, 3) + b"a/1" for i in range(2))
    put("pack", "part", b"\1" + with_checksum(b"easgd pack part 1\n" + struct.pack("<4Q", 1, 0, 2, 2) + records))
    put("pack", "records", b"\2" + bytes(180))
    return 0


if __name__ == "__main__":
    sys.exit(main())
