"""The README's Python examples run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fresh import run

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(
    r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example: str) -> None:
    ended = run("-c", example)
    assert (ended.said, ended.complaints, ended.status, ended.left) == ([], "", 0, [])


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2
