#!/usr/bin/python3
"""tests/tidy_test.py [EASGD]: does the house keep its own rules?

Documents name only what exists, everything that exists is named by a document, no file is without a
use, no function and no line is too long. EASGD is the program, which knows its commands and keys.
"""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "easgd"

LONGEST_LINE = 100
CITED = re.compile(r"\[[A-Z][A-Za-z]+(?:(?: et al\.|(?:, | and )[A-Z]\w+)* (?:19|20))?\d\d\]")
LONGEST_FUNCTION = {"src": 60, "kernels": 60, "datasets": 60, "tests": 75}


def files(*tops: str, suffixes: tuple[str, ...]) -> list[Path]:
    return [p for top in tops for p in sorted((ROOT / top).rglob("*"))
            if p.is_file() and p.suffix in suffixes and "__pycache__" not in p.parts]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources() -> list[Path]:
    return files("src", "kernels", "datasets", "tests", suffixes=(".h", ".cpp", ".cu"))


def documents() -> list[Path]:
    rooms = [*ROOT.glob("*.md"), *files("docs", "datasets", "src", suffixes=(".md",))]
    return [p for p in rooms if "measurements" not in p.parts]


@functools.cache
def everything_written() -> str:
    return "\n".join(p.read_text() for p in documents())


@functools.cache
def program(*arguments: str) -> str:
    """What the program prints; nothing if it does not know the command."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


@functools.cache
def keys() -> list[str]:
    """Dotted, those too that one algorithm or one data set has."""
    found, table = set(), ""
    for line in program("help", "config").split("Layer types")[0].splitlines():
        if match := re.match(r'  \w+ = ".*", in \[([a-z_.]+)\]', line):
            table = f"{match[1]}."
        elif match := re.match(r"  ([a-z_.]+) ", line):
            found.add(match[1] if "." in match[1] else table + match[1])
    return sorted(found)


@functools.cache
def layer_keys() -> dict[str, list[str]]:
    """The keys of each type of layer."""
    found: dict[str, list[str]] = {}
    for line in program("help", "config").split("Layer types")[1].splitlines():
        if match := re.match(r'  type = "(.*)"', line):
            found[match[1]] = []
        elif match := re.match(r"  ([a-z_]+) ", line):
            list(found.values())[-1].append(match[1])
    return found


def choices(key: str) -> list[str]:
    """The words that a key can have."""
    line = re.search(rf"^  {re.escape(key)} .*\n +(.*); default", program("help", "config"), re.M)
    return line[1].split(" | ")


def subcommands(*words: str) -> list[str]:
    listed = program(*words, "--help").partition("Subcommands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([a-z-]+)", listed, re.M)


# What documents say. ------------------------------------------------------------------------------


def inline_code(text: str) -> list[tuple[int, str]]:
    """(line, code) of each `...`."""
    outside = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), text, flags=re.M | re.S)
    return [(outside.count("\n", 0, m.start()) + 1, " ".join(m[1].split()))
            for m in re.finditer(r"`([^`]+)`", outside)]


def block_lines(text: str) -> list[tuple[int, str]]:
    """(line, text) within ``` and of what is indented by four."""
    found, inside = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif inside or line.startswith("    "):
            found.append((number, line.strip()))
    return found


def commands(text: str) -> list[tuple[int, list[str]]]:
    """(line, words) of what calls easgd or a tool."""
    found = []
    for number, code in inline_code(text) + block_lines(text):
        try:
            words = shlex.split(code, comments=True)
        except ValueError:
            continue  # no command of a shell
        if words and re.fullmatch(r"(\S+/)?easgd|(build/\S+/python )?tools/\S+", words[0]):
            found.append((number, words))
        elif len(words) > 1 and words[1].startswith("tools/"):
            found.append((number, words[1:]))
    return found


def wrong_with_easgd(words: list[str]) -> str:
    """Why the program would not take these words; they need not be complete."""
    known: list[str] = []
    while words and words[0] in subcommands(*known):
        known.append(words.pop(0))
    if words and re.fullmatch("[a-z-]+", words[0]) and subcommands(*known):
        return f"no command {words[0]}"
    usage = program(*known, "--help")
    for word, following in zip(words, [*words[1:], ""]):
        option = word.split("=")[0]
        if option.startswith("--") and not re.search(rf"(?<!\S){option}(?![\w-])", usage):
            return f"no option {option}"
        if word == "--set" and "=" in following and following.split("=")[0] not in keys():
            return f"no key {following}"
        if word.startswith("configs/") and not (ROOT / word).exists():
            return f"no file {word}"
    return ""


def wrong_with_tool(words: list[str]) -> str:
    tool = ROOT / words[0]
    if not tool.is_file():
        return f"no tool {words[0]}" if not tool.is_dir() else ""
    text = tool.read_text()
    options = [w.split("=")[0] for w in words[1:] if w.startswith("--") and w != "--"]
    return next((f"no option {o}" for o in options if o != "--set" and o not in text), "")


PATH = re.compile(r"(src|tests|configs|docs|datasets|kernels|tools|\.ci)/[\w./-]*\w|"
                  r"[\w./-]+\.(h|cpp|cu|py|md)|[\w-]+/[\w/-]+\.toml")


def exists(name: str, document: Path) -> bool:
    bases = (ROOT, ROOT / "src", ROOT / "src/backend", document.parent, ROOT / "configs",
             ROOT / "docs/measurements")
    if any((base / name).exists() for base in bases):
        return True
    return "/" not in name and any(p.name == name for p in sources() + documents())


class Documents(unittest.TestCase):
    maxDiff = None

    def test_paths_exist(self):
        wrong = []
        for document in documents():
            text = document.read_text()
            for number, code in inline_code(text) + block_lines(text):
                words = code.split() if "/" in code else [code]
                wrong += [f"{name_of(document)}:{number}: no {word}" for word in words
                          if PATH.fullmatch(word) and "mine." not in word
                          and not word.startswith(("build", "runs/", "easgd-bundle/"))
                          and not exists(word, document)]
        self.assertEqual([], wrong)

    def test_commands_are_known(self):
        wrong, seen = [], 0
        for document in documents():
            for number, words in commands(document.read_text()):
                check = wrong_with_tool if words[0].startswith("tools/") else wrong_with_easgd
                seen += 1
                if why := check(words[1:] if check is wrong_with_easgd else words):
                    wrong.append(f"{name_of(document)}:{number}: {' '.join(words)}: {why}")
        self.assertEqual([], wrong)
        self.assertGreater(seen, 50)

    def test_every_key_is_shipped_or_told(self):
        shipped, layers = set(), set()

        def walk(table: dict, before: str) -> None:
            for key, value in table.items():
                shipped.add(before + key)
                if isinstance(value, dict):
                    walk(value, f"{before}{key}.")

        for path in files("configs", suffixes=(".toml",)):
            table = tomllib.loads(path.read_text())
            layers |= {(layer["type"], key) for layer in table.pop("layer", []) for key in layer}
            walk(table, "")
        # The three schedules have the same keys.
        written = re.sub(r"(tau|rho)_schedule", "schedule", everything_written())
        missing = [key for key in keys() if key not in shipped and not re.search(
            rf"(?<![\w.]){re.escape(re.sub('(tau|rho)_schedule', 'schedule', key))}(?![\w.])",
            written)]
        for layer, its_keys in layer_keys().items():
            lines = re.findall(rf"^\|.*`{layer}`.*$", everything_written(), re.M)
            missing += [f"{layer}: {key}" for key in its_keys
                        if key not in ("name", "from") and (layer, key) not in layers
                        and not any(f"`{key}`" in line for line in lines)]
        self.assertEqual([], missing)

    def test_every_name_has_its_line(self):
        """Algorithms, layers, data sets: the first cell of a row. Commands: a line that calls it."""
        cells = re.findall(r"^\| (`[^`]+`(?:, `[^`]+`)*) \|", everything_written(), re.M)
        names = choices("algorithm.name") + choices("data.set") + list(layer_keys())
        missing = [name for name in names if not any(f"`{name}`" in cell for cell in cells)]
        called = {tuple(words[1:3]) for _, words in commands((ROOT / "README.md").read_text())}
        missing += [name for name in subcommands() if not any(name in call for call in called)]
        missing += [f"stability {name}" for name in subcommands("stability")
                    if ("stability", name) not in called]
        self.assertEqual([], missing)


class Files(unittest.TestCase):
    maxDiff = None

    def test_works_are_listed(self):
        """What a comment cites has its line among ARCHITECTURE.md's sources."""
        listed = set(CITED.findall((ROOT / "ARCHITECTURE.md").read_text()))
        self.assertGreater(len(listed), 10)
        missing = sorted({(name_of(path), tag) for path in sources() for tag in CITED.findall(path.read_text())
                          if tag not in listed})
        self.assertEqual(missing, [])

    def test_none_is_without_a_use(self):
        code = {p: p.read_text() for p in sources()}
        builds = {p.parent: p.read_text() for p in [ROOT / "meson.build", *files(
            "src", "kernels", "datasets", "tests", suffixes=(".build",))]}

        def built(path: Path) -> bool:
            return any(f"'{path.relative_to(folder).as_posix()}'" in text
                       for folder, text in builds.items() if path.is_relative_to(folder))

        useless = []
        for path, text in code.items():
            others = "".join(t for p, t in code.items() if p != path)
            if path.suffix == ".h":
                used = re.search(rf'#\s*include ["<]([\w/]*/)?{path.name}[">]', others)
            else:
                used = built(path)
            useless += [] if used else [name_of(path)]
        scripts = [p for p in (ROOT / "tools").rglob("*") if p.is_file() and "__" not in str(p)]
        scripts += files("tests", suffixes=(".py",))
        texts = {p: p.read_text() for p in scripts + files("configs", suffixes=(".toml",))}
        for path in [*texts, *(p for p in documents() if p.parent != ROOT)]:
            others = "".join(t for p, t in texts.items() if p != path)
            others += "".join(p.read_text() for p in documents() if p != path)
            imported = path.suffix == ".py" and re.search(
                rf"^(from|import) {path.stem}\b", others, re.M)
            if path.name not in others and not imported and not built(path):
                useless.append(name_of(path))
        self.assertEqual([], useless)

    def test_fuzzers_are_built_of_what_they_include(self):
        """tests/fuzz/meson.build lists sources by hand, and is built for `tools/test --all` alone. Sources
        whose headers are included by headers alone are not asked for."""
        build = (ROOT / "tests/fuzz/meson.build").read_text()
        listed = {f"{room}/{name}" for room, names in re.findall(r"'([\w/]+)': \[([^]]+)\]", build)
                  for name in re.findall(r"'(\w+)'", names)}
        self.assertIn("src/nn/safetensors", listed)
        left_out = set()
        for path in [*(ROOT / f"{source}.cpp" for source in listed),
                     *files("tests/fuzz", suffixes=(".cpp",))]:
            for header in re.findall(r'#include "([\w/]+)\.h"', path.read_text()):
                source = header if header.startswith(("datasets/", "kernels/")) else f"src/{header}"
                if (ROOT / f"{source}.cpp").exists() and source not in listed:
                    left_out.add(f"{source}, which {name_of(path)} includes")
        self.assertEqual([], sorted(left_out))


# What sources look like. --------------------------------------------------------------------------


def without_words(text: str) -> str:
    """C++ without comments and what is quoted; its lines stay where they are."""
    pattern = r'R"(\w*)\((?:.|\n)*?\)\1"|//.*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda m: "\n" * m[0].count("\n"), text)


def functions(text: str) -> list[tuple[int, int, str]]:
    """(first line, length, head) of each function, methods and test cases included."""
    code, found = without_words(text), []
    scopes: list[tuple[bool, int, str]] = []  # is a function, where its head begins, the head
    start, parentheses = 0, 0
    for i, c in enumerate(code):
        parentheses += (c == "(") - (c == ")")
        if c == "{":
            head = code[start:i].strip()
            inside = any(function for function, _, _ in scopes)
            function = (not inside and parentheses == 0 and "(" in head
                        and not re.search(r"=$|\b(namespace|struct|class|union|enum) \w+$", head))
            scopes.append((function, i - len(code[start:i].lstrip()), head))
        elif c == "}" and scopes:
            function, begin, head = scopes.pop()
            if function:
                first = code.count("\n", 0, begin) + 1
                found.append((first, code.count("\n", begin, i) + 1, head))
        if c in "{};" and parentheses == 0:
            start = i + 1
    return found


class Sources(unittest.TestCase):
    maxDiff = None

    def test_functions_are_short(self):
        long, seen = [], 0
        for path in sources():
            for line, length, head in functions(path.read_text()):
                seen += 1
                if length > LONGEST_FUNCTION[name_of(path).split("/")[0]]:
                    long.append(f"{name_of(path)}:{line}: {length} lines: {head[:60]}")
        self.assertEqual([], long)
        self.assertGreater(seen, 1000)

    def test_lines(self):
        wrong = []
        for path in sources():
            for number, line in enumerate(path.read_text().splitlines(), 1):
                place = f"{name_of(path)}:{number}"
                if len(line) > LONGEST_LINE:
                    wrong.append(f"{place}: {len(line)} columns")
                if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                    wrong.append(f"{place}: {line.strip()}")
                if re.match(r"\s*// ?[^/ ].*[=(].*[;{]$", line):
                    wrong.append(f"{place}: code in a comment")
        self.assertEqual([], wrong)


if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_file():
        PROGRAM = Path(sys.argv.pop(1)).resolve()
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=1))
