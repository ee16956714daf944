"""The actor of the stress run in Python: what `tests/src/stress/actor` is in Rust.

It is started with the folder of the round and the seed, and writes the same ledger.
`tests/src/stress/ledger.rs` tells what the lines mean. Two things differ from the Rust one:

- Threads never end the process, and a child that one of them forks does so at once or by a signal:
  the interpreter has no other end on a thread that was not its first.
- A signal's drain does not wait for the callbacks of threads. A process that has threads may be said
  to be cut short, so that what it does not finish must be reported.
"""

import itertools
import mmap
import os
import random
import signal
import sys
import threading
import time

from lastly import Cleaner, finalize, paused

FOLDER, SEED = sys.argv[1], int(sys.argv[2])
LEDGER = os.open(os.path.join(FOLDER, "ledger"), os.O_WRONLY | os.O_APPEND)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MOST_PROCESSES = 10

# How many processes there are so far; those of a round share it, and may all take the same last one.
processes = mmap.mmap(-1, mmap.PAGESIZE)


def note(line: str) -> None:
    os.write(LEDGER, f"\n{line} .".encode())


def identity(number: int) -> "tuple[int, int] | None":
    """Number and time of start of a process that is not dead."""
    try:
        with open(f"/proc/{number}/stat") as file:
            fields = file.read().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX" and int(fields[17]) <= 1:
        return None
    return number, int(fields[19])


class Process:
    """What this process is, another one in each child."""

    def __init__(self, path, parent=None):
        self.path = path
        # Nothing of it must die in the child, but what that touches.
        self.parent = parent
        self.own = identity(os.getpid())
        self.ancestors = [parent.own, *parent.ancestors] if parent else []
        self.signals = parent.signals if parent else "not"
        self.is_main = threading.current_thread() is MAIN and not (parent and parent.is_lost)
        self.is_lost = not self.is_main
        # Counted in one step each, as threads take turns anywhere.
        self.resources, self.children, self.ends = (itertools.count(n) for n in (0, 1, 0))
        self.handles = []
        # A child has its parent's.
        self.cleaner = parent.cleaner if parent else None
        self.cleaners = itertools.count()
        self.leaked = []
        self.threads = []
        number, start = self.own
        thing = Thing()
        door = "open" if finalize(thing, bool, 1)() else "shut"
        note(f"began {path} {number} {start} {self.signals} none {door}")

    def dead_ancestors(self):
        """How many, before the first that is not."""
        if not self.ancestors or os.getppid() == self.ancestors[0][0]:
            return 0
        count = 1
        for ancestor in self.ancestors[1:]:
            if identity(ancestor[0]) == ancestor:
                break
            count += 1
        return count

    def is_dead(self, ancestor):
        if ancestor == self.ancestors[0]:
            return self.dead_ancestors() > 0
        return identity(ancestor[0]) != ancestor

    def send_itself(self, number):
        note(f"signal {self.path} {int(number)} {self.dead_ancestors()}")
        os.kill(os.getpid(), number)

    def begin_to_end(self):
        """Whether it is the caller who ends it, and not another thread already."""
        return next(self.ends) == 0

    def may_be_cut(self):
        note(f"budget {self.path}")


class Thing:
    """An object; `other` makes a cycle of it."""

    other = None


def place_of(name):
    return os.path.join(FOLDER, "resources", name)


cause = threading.local()


class Here(threading.local):
    """This thread."""

    names = itertools.count()
    pauses = 0
    """How many it is in."""

    def __init__(self):
        name = threading.current_thread().name
        self.forgotten = []
        self.is_cleaners = name.startswith("cl-")
        self.name = name if self.is_cleaners else f"t{next(self.names)}"


here_now = Here()


def a_cleaner(numbers):
    """The cleaner of this process, made now if there is none."""
    here = process
    if here.cleaner is None:
        name = f"cl-{here.own[0]}-{next(here.cleaners)}"
        limit, policy = numbers.randint(1, 5), numbers.choice(["help", "block"])
        note(f"cleaner {name} {here.path} {limit} {policy}")
        here.cleaner = Cleaner(limit, when_full=policy, name=name)
    return here.cleaner


def barrier(cleaner, patience, work):
    path, thread = process.path, here_now.name
    note(f"barrier {cleaner.name} {path} {thread} {patience}")
    before, cause.act = getattr(cause, "act", None), "turn"
    try:
        won = work()
    finally:
        cause.act = before
    note(f"passed {cleaner.name} {path} {thread} {'won' if won else 'lost'}")


def begin_pause():
    here_now.pauses += 1
    note(f"pause {process.path} {here_now.name}")
    pause = paused()
    pause.__enter__()
    return pause


def end_pause(pause):
    path, thread = process.path, here_now.name
    note(f"unpause {path} {thread}")
    here_now.pauses -= 1
    before, cause.act = getattr(cause, "act", None), "unpause"
    try:
        pause.__exit__(None, None, None)
    finally:
        cause.act = before
    note(f"unpaused {path} {thread}")


def clean(name, owner, also):
    """The callback."""
    here = process
    path, of_owner = owner
    whose = "own" if path == here.path else "dead" if here.is_dead(of_owner) else "alive"
    place = "there" if os.path.isdir(place_of(name)) else "gone"
    by_itself = "turn" if here_now.is_cleaners else "drain"
    why = getattr(cause, "act", None) or by_itself
    note(f"running {name} {here.path} {why} {whose} {place} {here_now.name}")
    before, cause.act = getattr(cause, "act", None), why
    try:
        if also == "rest":
            time.sleep(0.0005)
        elif also == "kill":
            kill_one(random.Random(name))
        elif also == "kill_in_pause":
            pause = begin_pause()
            kill_one(random.Random(name))
            end_pause(pause)
        elif also == "barrier":
            barrier_of(random.Random(name), A_WHILE)
        elif also == "create":
            here.leaked.append(Resource(random.Random(name)))
        elif also == "call" and here.handles:
            name_of_other, handle = here.handles.pop()
            act(name_of_other, "call", lambda: call(handle))
        elif also == "fork" and fork() == 0:
            if name[-1] in "02468":
                kill_one(random.Random(name))
                barrier_of(random.Random(name), A_WHILE)
            at_once(0)
        try:
            os.rmdir(place_of(name))
        except FileNotFoundError:
            pass  # what a copy of its object has removed
        note(f"done {name} {here.path}")
        if also == "fail":
            raise ValueError("no luck")
        return True
    finally:
        cause.act = before


def act(name, what, work):
    """Does something to a finalizer; `work` says whether it was for it to do."""
    path = process.path
    note(f"begin {name} {path} {what} {here_now.name}")
    before, cause.act = getattr(cause, "act", None), what
    try:
        won = work()
    except ValueError:
        won = True
    finally:
        cause.act = before
    note(f"end {name} {path} {what} {'won' if won else 'lost'}")


def call(handle):
    was_alive = handle.alive
    return handle() is not None and was_alive


ALSO = {
    "": 50,
    "rest": 10,
    "fail": 5,
    "create": 5,
    "kill": 3,
    "kill_in_pause": 2,
    "barrier": 2,
    "call": 5,
    "fork": 2,
}
"""What a callback does beside removing its directory."""

A_WHILE = 0.02


def kill_one(numbers):
    Resource(numbers, also="").die()


def barrier_of(numbers, timeout):
    cleaner = a_cleaner(numbers)
    patience = "patient" if timeout is None else "hasty"
    barrier(cleaner, patience, lambda: cleaner.drain(timeout))


class Resource:
    """A directory, and an object whose finalizer removes it."""

    def __init__(self, numbers, also=None):
        here = process
        self.name = name = f"{here.path}-{next(here.resources)}"
        also = numbers.choices(list(ALSO), list(ALSO.values()))[0] if also is None else also
        unwanted = numbers.random() < 0.08
        keeper = a_cleaner(numbers) if numbers.random() < 0.25 else None
        if keeper and keeper.closed:
            keeper = None  # by another thread, just now
        os.mkdir(place_of(name))
        if unwanted:
            note(f"unwanted {name}")
        if keeper:
            note(f"kept {name} {keeper.name}")
        note(f"created {name} {here.path}")
        self.thing = Thing()
        if numbers.random() < 0.3:
            self.thing.other = self.thing
        tie = keeper.finalize if keeper else finalize
        try:
            self.handle = tie(self.thing, clean, name, (here.path, here.own), also)
        except RuntimeError:  # closed by now
            self.handle = finalize(self.thing, clean, name, (here.path, here.own), also)
        when = "drain" if getattr(cause, "act", None) == "drain" else "now"
        note(f"registered {name} {here.path} {when}")
        if unwanted:
            self.handle.atexit = False
            note(f"off {name}")

    def die(self):
        def work():
            # A cycle is broken by hand: a collection would take those of other threads too.
            self.thing.other = None
            del self.thing
            return True

        act(self.name, "drop", work)


def fork():
    """Forks, if the round may have one more process. The child's number; 0 in the child."""
    global process
    count = int.from_bytes(processes[:4], "little")
    if count >= MOST_PROCESSES:
        return None
    processes[:4] = (count + 1).to_bytes(4, "little")
    parent = process
    path = f"{parent.path}.{next(parent.children)}"
    note(f"forking {parent.path} {path}")
    try:
        number = os.fork()
    except RuntimeError:  # a thread's, when the first is through its end
        return None
    if number == 0:
        stderr = os.open(
            os.path.join(FOLDER, f"stderr-{path}"), os.O_WRONLY | os.O_APPEND | os.O_CREAT
        )
        os.dup2(stderr, 2)
        process = Process(path, parent)
        for _ in range(here_now.pauses):
            note(f"pause {path} {here_now.name}")
    else:
        note(f"forked {parent.path} {path}")
    return number


def at_once(status):
    note(f"ending {process.path} _exit {status} -")
    os._exit(status)


class Actor:
    """One thread."""

    STEPS = {
        "create": 30,
        "die": 8,
        "call": 4,
        "detach": 3,
        "peek": 4,
        "leak": 12,
        "share": 8,
        "call_shared": 5,
        "spawn": 4,
        "fork_on": 8,
        "daemonize": 2,
        "take_signals": 1,
        "signal_itself": 1,
        "touch": 2,
        "rest": 6,
        "barrier": 3,
        "close": 2,
        "pause": 4,
        "unpause": 6,
    }

    def __init__(self, name, leads):
        self.leads = leads
        self.inherited = []
        self.pauses = []
        self.begin(name)

    def begin(self, name):
        self.numbers = random.Random(f"{SEED} {name}")
        self.steps = self.numbers.randrange(2, 27)
        self.resources = []

    def live(self):
        while self.steps > 0:
            self.steps -= 1
            step = self.numbers.choices(list(self.STEPS), list(self.STEPS.values()))[0]
            getattr(self, step)()
        process.leaked += self.resources
        if self.leads:
            self.end()

    def take(self, things):
        return things.pop(self.numbers.randrange(len(things))) if things else None

    def create(self):
        self.resources.append(Resource(self.numbers))

    def die(self):
        if one := self.take(self.resources):
            one.die()

    def call(self):
        if self.resources:
            one = self.numbers.choice(self.resources)
            act(one.name, "call", lambda: call(one.handle))

    def detach(self):
        if one := self.take(self.resources):
            process.leaked.append(one)
            act(one.name, "detach", lambda: one.handle.detach() is not None)

    def peek(self):
        if self.resources:
            one = self.numbers.choice(self.resources)
            act(one.name, "peek", lambda: one.handle.peek() is not None)

    def leak(self):
        if one := self.take(self.resources):
            process.leaked.append(one)

    def share(self):
        if self.resources:
            one = self.numbers.choice(self.resources)
            process.handles.append((one.name, one.handle))

    def call_shared(self):
        if process.handles:
            name, handle = process.handles.pop()
            act(name, "call", lambda: call(handle))

    def spawn(self):
        here = process
        if len(here.threads) < 3 and not here.is_lost:
            here.may_be_cut()
            actor = Actor(f"{here.path} thread {self.numbers.random()}", False)
            thread = threading.Thread(target=actor.live)
            here.threads.append(thread)
            try:
                thread.start()
            except RuntimeError:
                pass  # as for a fork

    def fork_on(self):
        if fork() == 0:
            self.be_reborn()

    def be_reborn(self):
        kept.append(self.inherited)
        self.inherited = self.resources
        kept.append(self.inherited)
        self.leads = True
        self.begin(process.path)

    def daemonize(self):
        for _ in range(2):
            number = fork()
            if number is None:
                return
            if number == 0:
                self.be_reborn()
            elif process.begin_to_end():
                at_once(0)
            else:
                return

    def take_signals(self):
        here = process
        is_theirs = self.leads and here.is_main and here.signals == "not"
        if is_theirs and hasattr(lastly, "install_signals"):
            here.signals = "perhaps"
            note(f"installing {here.path}")
            lastly.install_signals(SIGNALS)
            note(f"installed {here.path}")
            here.signals = "taken"

    def signal_itself(self):
        process.send_itself(self.numbers.choice(SIGNALS))

    def touch(self):
        if one := self.take(self.inherited):
            one.die()

    def rest(self):
        time.sleep(self.numbers.random() / 500)

    def barrier(self):
        timeout = self.numbers.random() / 300 if self.numbers.random() < 0.4 else None
        barrier_of(self.numbers, timeout)

    def close(self):
        for _ in range(self.numbers.randrange(4)):
            kill_one(self.numbers)
        cleaner, process.cleaner = process.cleaner, None
        # Or it is let go of: its finalizers have it.
        if cleaner is not None and self.numbers.random() < 0.6:
            note(f"closing {cleaner.name}")
            barrier(cleaner, "patient", cleaner.close)
            note(f"closed {cleaner.name} {process.path}")

    def pause(self):
        self.pauses.append(begin_pause())

    def unpause(self):
        if not self.pauses:
            return
        pause = self.pauses.pop()
        if self.numbers.random() < 0.05:
            here_now.forgotten.append(pause)  # the thread stays paused
        else:
            end_pause(pause)

    def end(self):
        here = process
        if self.numbers.random() < 0.5:
            deadline = time.monotonic() + 0.2
            while here.dead_ancestors() < len(here.ancestors) and time.monotonic() < deadline:
                time.sleep(0.0002)
        in_order = {"exit": 10, "exception": 3} if here.is_main else {}
        ways = {**in_order, "_exit": 6, "abort": 1, "kill": 3, "signal": 5}
        way = self.numbers.choices(list(ways), list(ways.values()))[0]
        status = self.numbers.randrange(60)
        if not here.begin_to_end():
            hang()
        if way == "exit":
            note(f"ending {here.path} exit {status} {here.dead_ancestors()}")
            sys.exit(status)
        if way == "exception":
            note(f"ending {here.path} panic 1 {here.dead_ancestors()}")
            raise ValueError("the end")
        if way == "_exit":
            at_once(status)
        if way == "abort":
            note(f"ending {here.path} abort s{int(signal.SIGABRT)} -")
            os.abort()
        # In a pause a signal waits for its end.
        self.pauses += here_now.forgotten
        while self.pauses:
            end_pause(self.pauses.pop())
        here.send_itself(signal.SIGKILL if way == "kill" else self.numbers.choice(SIGNALS))
        hang()


class Stderr:
    """Without a buffer: that has a lock, which in a child a thread may hold that does not exist."""

    def write(self, text):
        os.write(2, text.encode())
        return len(text)

    def flush(self):
        pass


def hang():
    """The end of the process comes from elsewhere."""
    while True:
        time.sleep(1)


def main():
    global process
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the other two
    sys.stderr = Stderr()
    processes[0] = 1
    process = Process("0")
    actor = Actor("0", True)
    actor.create()
    if actor.numbers.random() < 0.4:
        actor.take_signals()
    actor.live()


import lastly  # noqa: E402  # what it has by now

MAIN = threading.main_thread()
kept: list = []
"""What must not die in a child when its thread ends: copies of what the parent had."""

process: Process
main()
