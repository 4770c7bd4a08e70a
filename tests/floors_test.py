#!/usr/bin/python3
"""Does every #include stand in the table of ARCHITECTURE.md, and is every entry of the table used?"""

from __future__ import annotations

import re
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOPS = ("src", "datasets", "kernels")

LIBRARIES = {
    "CLI11": r"CLI/",
    "JSON": r"nlohmann/",
    "toml++": r"toml\+\+/",
    "Eigen": r"Eigen/",
    "TBB": r"(oneapi/)?tbb/",
    "zlib": r"zlib\.h",
    "libjpeg": r"j(peglib|error)\.h",
    "libpng": r"png\.h",
    "oneDNN": r"(oneapi/dnnl/)?dnnl",
    "OpenMP": r"omp\.h",
    "CUDA": r"cuda",
    "Thrust": r"thrust/",
    "cuDNN": r"cudnn",
    "cuBLASLt": r"cublasLt",
    "NCCL": r"nccl",
    "NVTX": r"nvtx3/",
}
FOR_ALL = re.compile(r"[a-z_0-9]+$|fmt/|sys/|linux/|ext/|"
                     r"(dirent|dlfcn|execinfo|fcntl|malloc|poll|pthread|sched|signal|stdlib|unistd)\.h$")
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
PRAGMA = re.compile(r"\s*#\s*pragma omp\b")


def library_of(header: str) -> str | None:
    return next((name for name, start in LIBRARIES.items() if re.match(start, header)), None)


def names(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(",") if name.strip()]


def folder_of(name: str) -> str:
    return name if name in TOPS else f"src/{name}"


class Row:
    def __init__(self, rooms: list[str], libraries: list[str], line: int):
        self.rooms, self.libraries, self.line = rooms, libraries, line


def read_table(text: str) -> dict[str, Row]:
    """The rows of the table whose head begins with "room", by folder, from the top."""
    rows, inside = {}, False
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        inside = line.startswith("|") and (inside or cells[0] == "room")
        if inside and cells[0].startswith("`"):
            rooms = [folder_of(name) for name in names(cells[2])]
            rows[cells[0].strip("`")] = Row(rooms, names(cells[3]), number)
    return rows


def included(path: Path, root: Path):
    """(line, room, library, header) of each include; room and library are None for what is for all."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if PRAGMA.match(line):
            yield number, None, "OpenMP", "#pragma omp"
        if not (match := INCLUDE.match(line)):
            continue
        if match[1]:
            place = next((root / top / match[1] for top in ("src", "")
                          if (root / top / match[1]).exists()), None)
            room = place.parent.relative_to(root).as_posix() if place else "(no such file)"
            yield number, room, None, match[1]
        elif not FOR_ALL.match(match[2]):
            yield number, None, library_of(match[2]) or "(no known library)", match[2]


def complaints(root: Path) -> list[str]:
    table = read_table((root / "ARCHITECTURE.md").read_text())
    order = list(table)
    found, used, rooms = [], set(), set()
    sources = (p for top in TOPS for p in sorted((root / top).rglob("*"))
               if p.suffix in (".h", ".cpp", ".cu"))
    for path in sources:
        folder = path.parent.relative_to(root).as_posix()
        rooms.add(folder)
        row = table.get(folder)
        if row is None:
            continue
        for number, room, library, header in included(path, root):
            used |= {(folder, room), (folder, library)}
            if room not in (None, folder, *row.rooms) or library not in (None, *row.libraries):
                found.append(f"{path.relative_to(root)}:{number}: {folder} may not include {header}")
    found += [f"{room}: this room is not in ARCHITECTURE.md" for room in sorted(rooms - set(order))]
    for folder, row in table.items():
        place = f"ARCHITECTURE.md:{row.line}: {folder}"
        if folder not in rooms:
            found.append(f"{place}: there is no such room")
        for below in row.rooms:
            if below not in order or order.index(below) <= order.index(folder):
                found.append(f"{place}: {below} does not stand below it")
        found += [f"{place}: includes nothing of {entry}" for entry in row.rooms + row.libraries
                  if (folder, entry) not in used]
    return found


class Floors(unittest.TestCase):
    maxDiff = None

    def test_includes_are_those_of_the_table(self):
        self.assertEqual([], complaints(ROOT))

    def test_complaints(self):
        """The rules, each broken in a small tree."""
        table = ("| room | what | includes | libraries |\n| --- | --- | --- | --- |\n"
                 "| `src/high` | - | low | zlib |\n| `src/low` | - | {up} | {more} |\n")
        high = '#include "low/low.h"\n#include <vector>\n#include <zlib.h>\n'
        cases = [
            ("", "", {}, []),
            ("", "", {"src/low/low.h": '#include "high/high.h"\n'},
             ["src/low/low.h:1: src/low may not include high/high.h"]),
            ("", "", {"src/low/low.h": "\n#include <omp.h>\n"},
             ["src/low/low.h:2: src/low may not include omp.h"]),
            ("", "", {"src/low/low.h": "#pragma omp simd\n"},
             ["src/low/low.h:1: src/low may not include #pragma omp"]),
            ("", "", {"src/low/low.h": "#include <magic/new.h>\n"},
             ["src/low/low.h:1: src/low may not include magic/new.h"]),
            ("", "TBB", {}, ["ARCHITECTURE.md:4: src/low: includes nothing of TBB"]),
            ("high", "", {"src/low/low.h": '#include "high/high.h"\n'},
             ["ARCHITECTURE.md:4: src/low: src/high does not stand below it"]),
            ("", "", {"src/new/new.h": ""}, ["src/new: this room is not in ARCHITECTURE.md"]),
        ]
        for up, more, files, expected in cases:
            with self.subTest(expected=expected), tempfile.TemporaryDirectory() as folder:
                tree = {"ARCHITECTURE.md": table.format(up=up, more=more), "src/high/high.h": high,
                        "src/low/low.h": "", **files}
                for name, text in tree.items():
                    path = Path(folder, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
                self.assertEqual(expected, complaints(Path(folder)))


if __name__ == "__main__":
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1))
