"""Programs that end in the ways that are hard to see from inside: what several test files share.

Nothing here depends on time: a program that is to be met while it waits is asked of the system
whether it does.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from fresh import Ended, run

BEFORE = """
import os, signal, sys, threading, time
import lastly

class Thing:
    pass

kept = []

# Whoever started this may ignore them.
for number in signal.SIGTERM, signal.SIGHUP:
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

def say(*words):
    # Past a buffer that a fork would copy, and that a signal would leave behind.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def finalize(function, *arguments):
    # To run at exit.
    kept.append(Thing())
    return lastly.finalize(kept[-1], function, *arguments)

def die(function, *arguments):
    # To run now.
    thing = Thing()
    lastly.finalize(thing, function, *arguments)
    del thing

def kill(number=signal.SIGTERM):
    os.kill(os.getpid(), number)

def kill_again(number):
    # Until it is seen by itself: what comes together is one signal.
    while True:
        kill(number)
        time.sleep(0.001)

def beside(work, *arguments):
    # A thread that does it when told to: while the interpreter ends, none may be started.
    told = threading.Event()

    def wait():
        told.wait()
        work(*arguments)

    threading.Thread(target=wait, daemon=True).start()
    return told.set

main_is_there = False

def sleeps(process):
    # The first thread of it. Not for the interpreter's lock, which is free while this reads.
    with open(f"/proc/{process}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"

def main_waits():
    return main_is_there and sleeps("self")

def when_main_waits(work, *arguments):
    # To be called by the main thread, which then does nothing more before it waits.
    global main_is_there

    def watch():
        while not main_waits():
            time.sleep(0)
        work(*arguments)

    main_is_there = False
    threading.Thread(target=watch, daemon=True, name="beside").start()
    main_is_there = True

def hang():
    while True:
        time.sleep(1000)

def hang_in_c():
    # Lets other threads run, but never returns, and no signal interrupts it.
    import ctypes
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(mutex)

def on_which_thread():
    if threading.get_native_id() == os.getpid():
        return "main"
    with open("/proc/thread-self/comm") as name:
        return name.read().strip()

def wait_for(child):
    say("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def play(directory: Path, program: str, *arguments: str, **variables: str) -> Ended:
    """Runs a program, with all that above, as a script: `multiprocessing` imports it."""
    script = directory / "script.py"
    script.write_text(BEFORE + dedent(program))
    # An empty one: the standard streams have their buffers. And no sites, for which `-X dev` asks.
    variables = {"LASTLY_SITES": "0", **variables}
    return run(str(script), *arguments, PYTHONUNBUFFERED="", **variables)


def reports(ended: Ended) -> list[str]:
    """The first lines of what was reported."""
    lines = ended.complaints.splitlines()
    return [line for line in lines if line.startswith("lastly: ")]
