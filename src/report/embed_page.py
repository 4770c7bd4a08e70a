#!/usr/bin/python3
"""embed_page.py page.html OUT.cpp: page.html with the files that it names in it, as C++ text.

A line <!-- style: FILE --> or <!-- script: FILE --> stands for a file of the same folder.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PIECE = 8000  # characters of one literal


def assembled(page: Path) -> str:
    def put(match: re.Match) -> str:
        text = (page.parent / match[2]).read_text()
        return f"<{match[1]}>\n{text}</{match[1]}>"

    return re.sub(r"<!-- (style|script): ([\w.]+) -->", put, page.read_text())


def main() -> None:
    page, out = map(Path, sys.argv[1:])
    text = assembled(page)
    pieces = [text[i : i + PIECE] for i in range(0, len(text), PIECE)]
    literals = "\n".join(f'    R"page({piece})page"' for piece in pieces)
    out.write_text(
        '#include "report/page_source.h"\n\nnamespace easgd::report {\n\n'
        f"extern const std::string_view kPageSource(\n{literals});\n\n"
        "}  // namespace easgd::report\n"
    )


main()
