"""A program that ends as its first argument says, in the state that its second one says.

`tests/matrix.json` tells what it prints, how it dies and what it leaves behind.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import lastly

# Of a program that hangs, also where the one that watches it is gone.
WATCHDOG_SECONDS = 60

SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


class Thing:
    pass


kept: list[Thing] = []

finalize = lastly.finalize


# The ways to end


class Ending:
    def __init__(self, name: str) -> None:
        self.name = name
        self.is_second_signal = name == "second signal"
        self.is_installed = self.is_second_signal or name in ("SIGTERM", "SIGHUP", "SIGINT")
        # Whether it is for others to end the program.
        self.is_signal = self.is_installed or name.endswith(" by default")

    def happen(self) -> None:
        """Does it on this thread; or tells the parent that it is time for the signal."""
        if self.is_signal:
            say("ready", os.getpid())
        elif self.name == "exit":
            sys.exit(3)
        elif self.name == "uncaught":
            raise RuntimeError("oh")
        elif self.name == "_exit":
            os._exit(4)
        elif self.name == "abort":
            os.abort()
        else:
            assert self.name == "return"


def begin(ending: Ending) -> None:
    signal.alarm(WATCHDOG_SECONDS)
    # Whoever started this may ignore them.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if ending.is_installed:
        lastly.install_signals()


# What it has


def make(ending: Ending | None, whose: str) -> None:
    """Two temporary directories; between them what hangs, if there is to be a second signal."""
    tie(f"{whose}older")
    if ending is not None and ending.is_second_signal:
        finalize(keep(), hangs)
    tie(f"{whose}newer")


def tie(directory: str) -> None:
    """Ties a directory to an object that lives to the end of the program."""
    os.mkdir(directory)
    finalize(keep(), remove, directory)


def keep() -> Thing:
    kept.append(Thing())
    return kept[-1]


def remove(directory: str) -> None:
    say(who(), "removes", directory)
    os.rmdir(directory)


def hangs() -> None:
    # Two signals at once would be one.
    while not first_is_noticed():
        time.sleep(0)
    say(who(), "hangs")
    hang()


def hang() -> None:
    while True:
        time.sleep(1000)


def first_is_noticed() -> bool:
    """Whether there is the thread that lastly starts when a signal has come."""
    tasks = "/proc/self/task"
    return any(name_of(f"{tasks}/{it}") == "lastly-exit" for it in os.listdir(tasks))


def who() -> str:
    """What kind of thread this is. The system knows."""
    if threading.get_native_id() == os.getpid():
        return "main"
    return "lastly" if name_of("/proc/thread-self").startswith("lastly") else "thread"


def name_of(thread: str) -> str:
    try:
        with open(f"{thread}/comm") as name:
            return name.read().rstrip()
    except OSError:
        return "gone meanwhile"


def say(*words: object) -> None:
    """One line to stdout, past a buffer that a fork would copy."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


# What main is at when its end comes


def busy(ending: Ending) -> None:
    """Main computes. What ends a program from within, it does itself."""
    ending.happen()
    number = 1
    while ending.is_signal:
        number = number * 3 % 1_000_003


def idle(ending: Ending) -> None:
    beside_main(ending)
    hang()


def in_a_call(ending: Ending) -> None:
    """A system call that does not return."""
    here, _there = os.pipe()
    beside_main(ending)
    os.read(here, 1)


def at_a_lock(ending: Ending) -> None:
    lock = threading.Lock()
    lock.acquire()
    beside_main(ending)
    lock.acquire()


def in_c_code(ending: Ending) -> None:
    """It lets other threads run, but never returns, and no signal interrupts it."""
    import ctypes

    mutex = ctypes.create_string_buffer(64)
    lock = ctypes.CDLL(None).pthread_mutex_lock
    lock(mutex)
    beside_main(ending)
    lock(mutex)


def in_a_callback(ending: Ending) -> None:
    """Main runs a callback, as an object died."""
    thing = Thing()
    lastly.finalize(thing, callback, ending)
    del thing
    say("main goes on")


def in_the_drain(ending: Ending) -> None:
    """Main has come to its last line, and runs a callback of the drain."""
    lastly.finalize(keep(), callback, ending)


def callback(ending: Ending) -> None:
    ending.happen()
    # Until the parent has sent the signal.
    os.read(0, 1)
    say("the callback ends")


def in_a_pause(ending: Ending) -> None:
    """Main is in a pause, in which all objects have died: the newest first."""
    with lastly.paused():
        while kept:
            kept.pop()
        ending.happen()
        if ending.is_signal:
            # Until the parent has sent the signal.
            os.read(0, 1)
    if ending.is_signal:
        hang()


def with_a_backlog(ending: Ending) -> None:
    """All objects have died, and wait for a cleaner, which thread is in a callback."""
    reached = threading.Event()
    thing = Thing()
    finalize(thing, watch_others, reached)
    del thing
    reached.wait()
    while kept:
        kept.pop()
    busy(ending)


def watch_others(reached: threading.Event) -> None:
    reached.set()
    while os.path.exists("newer") or os.path.exists("older"):
        time.sleep(0.001)


def in_a_child(ending: Ending) -> None:
    """It happens in a forked child that has things of its own. The parent waits for it."""
    child = os.fork()
    if child == 0:
        make(ending, "child's ")
        if ending.is_signal:
            idle(ending)
        ending.happen()
        return
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    end = signal.Signals(os.WTERMSIG(status)).name if killed else os.WEXITSTATUS(status)
    say("the child's end:", end)


def in_a_thread(ending: Ending) -> None:
    """Another thread does it, or takes the signal."""

    def work() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        ending.happen()
        if ending.is_signal:
            hang()

    # A signal to the process finds the other thread only.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
    say("main goes on")


STATES: dict[str, Callable[[Ending], None]] = {
    "busy": busy,
    "idle": idle,
    "call": in_a_call,
    "lock": at_a_lock,
    "C": in_c_code,
    "callback": in_a_callback,
    "drain": in_the_drain,
    "pause": in_a_pause,
    "backlog": with_a_backlog,
    "child": in_a_child,
    "thread": in_a_thread,
}

main_is_there = False


def beside_main(ending: Ending) -> None:
    """What ends a program from within, another thread does: when main, which calls this, has come
    to wait."""
    global main_is_there

    def work() -> None:
        while not (main_is_there and main_sleeps()):
            time.sleep(0)
        ending.happen()

    threading.Thread(target=work, daemon=True).start()
    # It does nothing any more before it waits.
    main_is_there = True


def main_sleeps() -> bool:
    # Not for the interpreter's lock, which is free while this reads.
    with open("/proc/self/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


def main() -> None:
    global finalize
    ending, state = Ending(sys.argv[1]), sys.argv[2]
    begin(ending)
    if state == "backlog":
        finalize = lastly.Cleaner().finalize
    # In the process that it happens in.
    make(None if state == "child" else ending, "")
    STATES[state](ending)


if __name__ == "__main__":
    main()
