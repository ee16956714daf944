"""Draws a chart of the README from what the tables wrote, `--json`: shorter bars are better."""

from __future__ import annotations

import argparse
import json
from html import escape
from pathlib import Path
from typing import Any

#: Of those that are called otherwise in the chart than in the figures.
NAMES = {
    "original": "weakref.finalize",
    "ref": "weakref.ref, no exit",
    "jrsonnet": "jrsonnet-gcmodule",
    "bacon-rajan": "bacon_rajan_cc",
    "boa": "boa_gc",
    "dumpster": "dumpster unsync",
}

WIDTH, LEFT, LONGEST = 640, 150, 350
TITLE, BAR, BETWEEN, MARGIN = 24, 18, 14, 16

#: The colours are legible on white and on black alike, but for the text, which follows the reader.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.name { text-anchor: end }
.lastly { fill: #0f9b8e }
.peer { fill: #8b949e }
.ref { fill: #b9a25c }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("figures", type=Path, help="what `--json` wrote")
    parser.add_argument("chart", type=Path, help="the SVG file to write")
    parser.add_argument("label", help="what is beside what, for those who cannot see it")
    arguments = parser.parse_args()
    groups = json.loads(arguments.figures.read_text(encoding="utf-8"))
    arguments.chart.write_text(chart(groups, arguments.label), encoding="utf-8")


def chart(groups: list[dict[str, Any]], label: str) -> str:
    top, parts = MARGIN, []
    for group in groups:
        parts += drawn(group, top)
        top += TITLE + BAR * len(group["figures"]) + BETWEEN
    height = top - BETWEEN + MARGIN
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
                f'width="{WIDTH}" height="{height}" role="img" '
                f'aria-label="{escape(label)}; shorter is better">'
            ),
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )


def drawn(group: dict[str, Any], top: int) -> list[str]:
    """A title, and a bar for each contender."""
    figures = group["figures"]
    longest = max(figures.values())
    unit = group["unit"]
    parts = [text(0, top + 12, "title", group["title"])]
    for index, (name, figure) in enumerate(figures.items()):
        y = top + TITLE + BAR * index
        width = max(1, round(figure / longest * LONGEST))
        parts += [
            text(LEFT - 8, y + 9, "name", NAMES.get(name, name)),
            bar(name if name in ("lastly", "ref") else "peer", y - 3, width),
            text(LEFT + width + 8, y + 9, "figure", f"{number(figure)} {unit}"),
        ]
    return parts


def bar(kind: str, y: int, width: int) -> str:
    return f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{width}" height="{BAR - 4}" rx="2"/>'


def text(x: int, y: int, kind: str, words: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 10 else f"{figure:.1f}"


if __name__ == "__main__":
    main()
