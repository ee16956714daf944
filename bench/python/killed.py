"""From `kill -9` to the first cleanup; and the process that does it: its start, and its memory.

All do the same: remove one file in memory, which stands for shared memory. The parent waits for
two things: that the killed process has ended, as the guard does, and that the file is gone, by
inotify. A tracker waits for the end of a pipe, which comes a little before the end of the process.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from measure import Effort, Group, median, scratch, table
from registering import MEMORY, quantile

NAMES = {
    "guard": "**lastly**: the guard",
    "tracker": "`multiprocessing.resource_tracker`",
    "loky": "`loky.backend.resource_tracker`",
}
SIZES = {0: "small", 1 << 30: "1 GiB resident"}
KINDS = ("Rss", "Pss", "Private")


class Death(NamedTuple):
    """Milliseconds since the signal was sent, and what was seen before."""

    ended: float
    gone: float
    #: Milliseconds until the first registration returned, and until somebody stood by.
    returned: float
    ready: float
    #: KiB, of each of `KINDS`.
    memory: dict[str, int]


def killed(effort: Effort) -> list[Group]:
    deaths: dict[tuple[int, str], list[Death]] = defaultdict(list)
    with scratch() as folder:
        for size in SIZES:
            count = effort.killed_large if size else effort.killed
            for _ in range(count):
                for name in NAMES:
                    deaths[size, name].append(death(name, size, folder))
    rows = []
    for (size, name), all_of in deaths.items():
        row = [SIZES[size], NAMES[name]]
        for times in ([one.gone for one in all_of], [one.ended for one in all_of]):
            row += [f"{quantile(times, 0.5):.2f}", f"{quantile(times, 0.99):.2f}"]
        after = [one.gone - one.ended for one in all_of]
        rows.append([*row, f"{quantile(after, 0.5):+.2f}", f"{quantile(after, 0.99):+.2f}"])
    head = ["the process", "", "the file is gone, p50", "p99"]
    head += ["its process has ended, p50", "p99", "gone after the end, p50", "p99"]
    table("Python: from `kill -9` to the first cleanup (ms)", head, rows)
    rows = []
    for name, title in NAMES.items():
        small = deaths[0, name]
        row = [title]
        for times in ([one.returned for one in small], [one.ready for one in small]):
            row += [f"{quantile(times, 0.5):.2f}", f"{quantile(times, 0.99):.2f}"]
        row += [f"{median(one.memory[kind] for one in small):.0f}" for kind in KINDS]
        rows.append(row)
    head = ["", "the first registration returns, p50 (ms)", "p99", "it stands by, p50", "p99"]
    head += [f"{kind} (KiB)" for kind in ("resident", "proportional", "private")]
    table("Python: the process that stands by", head, rows)
    return []


def death(name: str, size: int, folder: Path) -> Death:
    """Kills a process of its own that has declared something."""
    command = [sys.executable, __file__, name, str(size), str(folder / "journals")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout
        said = json.loads(owner.stdout.readline())
        stands_by = said["stands_by"] or guard_of(owner.pid)
        # What it does when it has just been started, is over.
        time.sleep(0.1)
        memory = memory_of(stands_by)
        ended, gone = kill(owner.pid, said["name"])
    return Death(ended, gone, said["returned"], said["ready"], memory)


def kill(pid: int, name: str) -> tuple[float, float]:
    """Milliseconds until it has ended, and until that file is gone."""
    process, notices = os.pidfd_open(pid), deletions()
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.register(notices, select.POLLIN)
    ended = gone = None
    begin = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    while ended is None or gone is None:
        ready = poll.poll(10_000)
        now = (time.perf_counter() - begin) * 1e3
        assert ready, "nobody has removed it"
        for descriptor, _ in ready:
            if descriptor == process:
                ended = now
                poll.unregister(process)
            # More may have happened there, by others.
            elif f"{name}\0".encode() in os.read(notices, 65536) and gone is None:
                gone = now
    os.close(process)
    os.close(notices)
    return ended, gone


def deletions() -> int:
    """A descriptor that tells of names that go from the directory."""
    deleted, moved = 0x200, 0x40
    library = ctypes.CDLL(None, use_errno=True)
    notices: int = library.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    watch: int = library.inotify_add_watch(notices, bytes(MEMORY), deleted | moved)
    assert notices >= 0 and watch >= 0, os.strerror(ctypes.get_errno())
    return notices


def guard_of(owner: int) -> int:
    """Its guard's number: that is told nobody."""
    prefix = f"lastly-guard\0guard\0{owner}-".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(prefix):
                return int(process.name)
        except OSError:
            pass
    raise AssertionError("it has no guard")


def memory_of(process: int) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            kind, *number = line.split()
            if number[-1:] == ["kB"]:
                kind = kind.rstrip(":")
                # Private_Clean and Private_Dirty.
                found["Private" if kind.startswith("Private_") else kind] += int(number[0])
    return found


def owner(name: str, size: int) -> None:
    """In the child: declares one thing, tells what that took, and waits for its end."""
    gc.disable()
    resident = b"x" * size
    file = f"lastly-bench-{os.getpid()}"
    path = str(MEMORY / file)
    Path(path).write_bytes(b"x")
    said: dict[str, Any] = {"name": file, "stands_by": None}
    register = {"guard": by_guard, "tracker": by_tracker, "loky": by_loky}[name]()
    begin = time.perf_counter()
    tracker = register(file, path)
    said["returned"] = (time.perf_counter() - begin) * 1e3
    if tracker:
        while unread(tracker):
            pass
        said["stands_by"] = tracker._pid
    said["ready"] = (time.perf_counter() - begin) * 1e3
    print(json.dumps(said), flush=True)
    signal.pause()
    del resident


def unread(tracker: Any) -> int:
    """Bytes in its pipe that it has not read yet."""
    buffer = fcntl.ioctl(tracker._fd, termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", buffer)[0])


def by_guard() -> Any:
    import lastly

    def register(name: str, path: str) -> None:
        # Of the module itself, so that the object is there until the end.
        lastly.finalize(os, lastly.unlink_shared_memory, name)

    lastly.finalize, lastly.unlink_shared_memory  # noqa: B018  (not to be imported later)
    return register


def by_tracker() -> Any:
    from multiprocessing import resource_tracker

    def register(name: str, path: str) -> Any:
        resource_tracker.register("/" + name, "shared_memory")
        return resource_tracker._resource_tracker  # type: ignore[attr-defined]

    return register


def by_loky() -> Any:
    from loky.backend import resource_tracker

    def register(name: str, path: str) -> Any:
        resource_tracker.register(path, "file")
        return resource_tracker._resource_tracker

    return register


if __name__ == "__main__":
    which, resident_size, journals = sys.argv[1:]
    os.environ["LASTLY_JOURNALS"] = journals
    owner(which, int(resident_size))
