"""A temporary directory that is tied to an object, and goes with it however the program ends.

`python workspace.py drop` (or `call`, `exception`, `exit`, `cycle`), then press Enter; or with
`signal`, then end it by SIGTERM; or with `kill`, then kill it by `kill -9`.
"""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
from pathlib import Path

from lastly import finalize, install_signals, remove_tree


class Workspace:
    """A directory to work in. With the last reference to this object it goes."""

    def __init__(self, survive: bool = False) -> None:
        # With lastly's own function it goes also when this process is killed.
        remove = remove_tree if survive else shutil.rmtree
        self.path = Path(tempfile.mkdtemp(prefix="workspace-"))
        self.itself: Workspace | None = None
        self._cleanup = finalize(self, remove, self.path)

    def remove(self) -> None:
        """Removes it now; later nothing happens."""
        self._cleanup()


def main() -> None:
    ending = sys.argv[1] if len(sys.argv) == 2 else ""
    endings = ("drop", "call", "exception", "exit", "cycle", "signal", "kill")
    if ending not in endings:
        sys.exit(f"how shall it end? {', '.join(endings)}")
    if ending == "signal":
        install_signals()
    workspace = Workspace(survive=ending == "kill")
    path = workspace.path
    (path / "data").write_text("half a result")
    print(path, flush=True)
    input()
    if ending == "drop":
        shared = workspace
        del workspace
        del shared
    elif ending == "call":
        workspace.remove()
        workspace.remove()
    elif ending == "exception":
        raise RuntimeError("something went wrong")
    elif ending == "exit":
        sys.exit(1)
    else:
        workspace.itself = workspace  # now nothing but a collection can end it
        del workspace
        gc.collect()
    print("still there:", path.exists())


if __name__ == "__main__":
    main()
