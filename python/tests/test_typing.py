"""That the package is tested as installed, and that type checkers find its types there.

Whether the types are right, `cargo xtask test` asks mypy, pyright and stubtest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lastly

PACKAGE = Path(lastly.__file__).parent


def test_not_the_source_tree_is_tested() -> None:
    sources = Path(__file__).parents[1]
    assert sources / "lastly" != PACKAGE
    assert str(sources) not in sys.path


def test_children_import_the_same() -> None:
    program = [sys.executable, "-c", "import lastly; print(lastly.__file__)"]
    said = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert Path(said.stdout.strip()).parent == PACKAGE


def test_type_checkers_find_its_types() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_native.pyi").is_file()
