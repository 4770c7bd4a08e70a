#!/usr/bin/python3
"""tests/pillow_test.py EASGD: are pictures of every kind decoded and resized as Pillow does it?

They are packed as raw bytes by `easgd pack`, and read from there as docs and src/pictures/pack_index.h say.
Photographs of full size are compared besides where $EASGD_DATA has a folder imagenet-fullsize.
Exit code 77: there is no Pillow.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError:
    print("skipped: no Pillow or no NumPy")
    sys.exit(77)

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "build/easgd"
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def photograph(height: int, width: int) -> np.ndarray:
    """Slopes, an edge and noise: [height][width][3]."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(1).integers(0, 6, (height, width, 3))
    channels = [128 + 60 * np.sin(0.05 * x + c) + 40 * np.cos(0.07 * y + 0.02 * x) + 20 * (x + 2 * y > height)
                for c in range(3)]
    return np.clip(np.stack(channels, -1) + noise, 0, 255).astype(np.uint8)


def png(pixels: np.ndarray, colour: int, depth: int, interlaced: bool) -> bytes:
    """A PNG file, written as the format says: [height][width][channels] of uint8 or uint16."""
    data = pixels.astype(">u2" if depth == 16 else np.uint8)
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    lines = b"".join(b"\0" + line.tobytes() for top, left, down, across in passes
                     for line in data[top::down, left::across] if line.size)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, int(interlaced))
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks)


def make_pictures(folder: Path) -> dict[str, np.ndarray]:
    """Pictures of every kind; what Pillow makes of them, or what they were made of."""
    folder.mkdir(parents=True)
    pixels = photograph(91, 123)
    image = Image.fromarray(pixels)
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        image.save(folder / f"{sampling.replace(':', '')}.jpg", quality=85, subsampling=sampling)
    image.save(folder / "progressive.jpeg", quality=85, progressive=True)
    image.convert("L").save(folder / "grey.JPG")
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    for number in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        image.save(folder / f"turned{number}.jpg", quality=85, exif=exif)
    image.save(folder / "colour.png")
    image.save(folder / "named.JPEG", format="PNG")
    image.save(folder / "named.png", format="JPEG")
    image.convert("L").save(folder / "grey.png")
    image.convert("1").save(folder / "bits.png")
    image.quantize(14).save(folder / "palette4.png", bits=4)
    image.quantize(200).save(folder / "palette8.png", transparency=3)
    transparent = image.copy()
    transparent.putalpha(Image.fromarray(pixels[:, :, 0]))
    transparent.save(folder / "alpha.png")
    transparent.convert("LA").save(folder / "grey_alpha.png")
    deep = (pixels.astype(np.uint16) << 8) + 255 - pixels
    made = {"deep.png": png(deep, 2, 16, False), "deep_grey.png": png(deep[:, :, :1], 0, 16, False),
            "interlaced.png": png(pixels, 2, 8, True), "deep_interlaced.png": png(deep, 2, 16, True)}
    for name, data in made.items():
        (folder / name).write_bytes(data)
    expected = {path.name: np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
                for path in folder.iterdir() if path.name not in made}
    colour = np.rint(deep / 257).astype(np.uint8)
    return expected | {"deep.png": colour, "deep_grey.png": np.repeat(colour[:, :, :1], 3, 2),
                       "interlaced.png": pixels, "deep_interlaced.png": colour}


def packed(folder: Path, *options: str) -> dict[str, np.ndarray]:
    """The raw records of a folder with train/ and val/, by the names of their files: [height][width][3]."""
    with tempfile.TemporaryDirectory() as to:
        subprocess.run([PROGRAM, "pack", folder, to, "--raw", *options], check=True, stdout=subprocess.DEVNULL)
        pictures = {}
        for index in sorted(Path(to).glob("train-*.index")):
            data, records = index.read_bytes(), index.with_suffix(".bin").read_bytes()
            at = len(b"easgd pack part 1\n")
            *_, count = struct.unpack_from("<QQQQ", data, at)
            at += 32
            for _ in range(count):
                offset, size, _, _, height, width, length = struct.unpack_from("<QQQiHHQ", data, at)
                at += 40 + length
                raw = np.frombuffer(records, np.uint8, size, offset).reshape(3, height, width)
                pictures[Path(data[at - length:at].decode()).name] = raw.transpose(1, 2, 0)
        return pictures


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    least = min(height, width)
    if least <= side:
        return pixels
    size = (width * side // least, height * side // least)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.BILINEAR))


class Pillow(unittest.TestCase):
    def compare(self, found: np.ndarray, expected: np.ndarray, most: float, most_anywhere: int) -> float:
        """In levels: of all values on average, and of each. Returns the average."""
        self.assertEqual(found.shape, expected.shape)
        difference = np.abs(found.astype(int) - expected.astype(int))
        self.assertLessEqual(difference.mean(), most)
        self.assertLessEqual(difference.max(), most_anywhere)
        return float(difference.mean())

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        (self.root / "val").symlink_to("train")

    def test_every_kind(self):
        expected = make_pictures(self.root / "train" / "a")
        (self.root / "train" / "b").symlink_to("a")
        found = packed(self.root, "--side", "0")
        self.assertEqual(set(found), set(expected))
        for name, pixels in expected.items():
            with self.subTest(name):
                rounded = name in ("cmyk.jpg", "deep.png")
                self.compare(found[name], pixels, 0.5 if rounded else 0, 1 if rounded else 0)
        for side in (60, 30):  # a JPEG picture is decoded at a half for the second
            for name, pixels in packed(self.root, "--side", str(side)).items():
                with self.subTest(name, side=side):
                    self.compare(pixels, shrunk(expected[name], side), 0.5, 1)

    def test_full_size(self):
        photographs = Path(os.environ.get("EASGD_DATA", ""), "imagenet-fullsize")
        if not os.environ.get("EASGD_DATA") or not photographs.is_dir():
            self.skipTest("no imagenet-fullsize in $EASGD_DATA")
        (self.root / "train").symlink_to(photographs)
        for side in (0, 256, 64):
            for name, pixels in packed(self.root, "--side", str(side)).items():
                path = next(photographs.rglob(name))
                with self.subTest(name, side=side):
                    whole = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
                    expected = shrunk(whole, side) if side else whole
                    # Reduced before they are resized, some differ where there is fine detail.
                    difference = self.compare(pixels, expected, 1 if side else 0, 12 if side else 0)
                    if os.environ.get("EASGD_VERBOSE"):
                        print(f"{name} side {side}: {difference:.3f}")


if __name__ == "__main__":
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1))
