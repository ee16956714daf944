"""Programs that would crash, hang or leave finalizers behind if something were wrong.

Each says little: what matters is that it comes to its end, with what it expects.
"""

from __future__ import annotations

from chains import DEEP, NESTED_CALLBACKS, TRASHCAN

BEFORE = """
import gc, os, signal, sys, threading, weakref
from lastly import finalize

class Thing:
    pass

class Special(finalize):
    pass

kept, count = [], 0

def keep():
    kept.append(Thing())
    return kept[-1]

def cycle():
    thing = Thing()
    thing.itself = thing
    return thing

def work(*_, **__):
    global count
    count += 1

def say(*words):
    print(*words, flush=True)
"""

DYING_IN_THREADS = """
def make():
    local.things = [Thing() for _ in range(300)]
    for thing in local.things:
        finalize(thing, ran.append, 1)
        Special(thing, ran.append, 1)
    barrier.wait()

local, ran, barrier = threading.local(), [], threading.Barrier(8)
threads = [threading.Thread(target=make) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
gc.collect()
say(len(ran), len(finalize._registry))
"""

SHARED_BY_THREADS = """
sys.setswitchinterval(1e-6)

def fight(number):
    barrier.wait()
    for index, f in enumerate(made):
        (f, f.detach, f.peek, f.__repr__)[(number + index) % 4]()
        if number == 3:
            things[index] = None
        f.atexit = f.alive

things = [cycle() if n % 2 else Thing() for n in range(2000)]
made = [(Special if n % 3 else finalize)(thing, work, n) for n, thing in enumerate(things)]
barrier = threading.Barrier(4)
threads = [threading.Thread(target=fight, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
del things
gc.collect()
say(any(f.alive for f in made), len(finalize._registry))
"""

SHUTDOWN = """
class Late:
    # Finalizers of all kinds, made and used when modules are taken apart. Their functions do not
    # lead to these objects, which would keep them.
    def __init__(self):
        self.alive = finalize(int, len, Thing())
        self.off = finalize(int, print, "never")
        self.alive.atexit = self.off.atexit = False
        self.ended = Special(int, print, "in time")

    def __del__(
        self, finalize=finalize, Special=Special, Thing=Thing, write=os.write, int=int, repr=repr
    ):
        for f in (self.alive, self.off, self.ended):
            repr(f), f.alive, f.peek(), f(), f.detach(), f()
        for kind in (finalize, Special):
            kind(Thing(), write, 1, b"never")
            f = kind(int, write, 1, b"never")
            f(), f.detach()
        write(1, b"late\\n")

late = [Late(), cycle()]
late[1].late = Late()
late[1].f = finalize(late[1], print, "in time")
sys.late = Late()
finalize(cycle(), print, "never").atexit = False
"""

FIRST_IN_SHUTDOWN = """
class Late:
    def __del__(self, finalize=finalize, Thing=Thing, write=os.write):
        for make in (Thing, lambda: int):
            try:
                finalize(make(), write, 1, b"")
            except Exception:
                pass  # there is no importing any more, nor `atexit`
        write(1, b"late\\n")

sys.late = Late()
"""

WHILE_A_DAEMON_GOES_ON = """
sys.setswitchinterval(1e-6)

def go_on():
    begun.set()
    while True:
        finalize(Thing(), work, [1], value=2)
        Special(cycle(), work)
        finalize(keep(), work).detach()

begun = threading.Event()
for _ in range(2):
    threading.Thread(target=go_on, daemon=True).start()
begun.wait()
finalize(int, say, "in time")
"""

CUT_OFF = """
# A daemon thread waits in a callback when the interpreter goes, and comes back for it too late:
# Python then ends the thread there and then, through every frame on its stack; or, since 3.14,
# stops it for ever.
threads_end = sys.version_info < (3, 14) and os.path.exists("/proc/self/task")
reading, writing = os.pipe()

def wait(*_, **__):
    begun.release()
    os.read(reading, 1)

def call(kind):
    kind(keep(), wait, [1], value=[2])()

def die(kind):
    kind(Thing(), wait, [1], value=[2])

def be_collected(kind):
    kind(cycle(), wait, [1], value=[2])
    gc.collect()

class Late:
    def __del__(self, write=os.write, listdir=os.listdir, len=len):
        write(writing, b"x" * 6)
        while threads_end and len(listdir("/proc/self/task")) > 1:
            pass
        write(1, b"the threads are gone\\n")

begun = threading.Semaphore(0)
for kind in (finalize, Special):
    for cause in (call, die):
        threading.Thread(target=cause, args=(kind,), daemon=True).start()
        begun.acquire()
threading.Thread(target=be_collected, args=(finalize,), daemon=True).start()
begun.acquire()
sys.late = Late()
"""

FROZEN = """
for turn in range(20):
    things = [cycle(), Thing(), cycle()]
    for thing in things:
        finalize(thing, work, thing.__class__, value=[turn])
        Special(thing, work).itself = things[1]
    gc.freeze()
    finalize(cycle(), work)
    gc.collect()
    gc.disable()
    finalize(cycle(), work)
    gc.enable()
    if turn % 2:
        gc.unfreeze()
    del thing, things
gc.unfreeze()
gc.collect()
finalize._exitfunc()
say(count)
"""

COLLECTED_AT_EVERY_ALLOCATION = """
gc.set_threshold(1, 1, 1)
for number in range(300):
    thing = cycle()
    thing.f = finalize(thing, work, [number], value={1: number})
    thing.f.peek(), repr(thing.f)
    thing.g = Special(thing, work, number)
    thing.g.thing = [thing.g]
    finalize(thing, work).detach()
    finalize(Thing(), work)
    finalize(cycle(), work, cycle())
    list(finalize._registry.items())
del thing
gc.set_threshold(700, 10, 10)
gc.collect()
say(count, len(finalize._registry))
"""

A_HOOK_OF_THE_COLLECTOR = """
# Foreign code within every allocation that collects: in the middle of constructors and looks.
def hook(phase, info):
    finalize(Thing(), work)
    if made and phase == "start":
        f = made.pop()
        f.peek(), f.detach(), f()

made = []
gc.callbacks.append(hook)
gc.set_threshold(1, 1, 1)
for number in range(500):
    thing = Thing()
    made.append(finalize(thing, work, [number], value=[number]))
    made.append(Special(thing, work, [number]))
    made[-1].__init__(thing, work, [number])
    for f in made[-2:]:
        f.peek()
        f(), f.detach()
gc.callbacks.clear()
del thing
gc.collect()
say(len(finalize._registry))
"""

INTERRUPTED = """
# Ctrl-C, from another thread, two hundred times: in constructors, callbacks, looks and deaths,
# wherever it may. What it leaves alive can be ended.
sys.setswitchinterval(1e-6)
sys.unraisablehook = id  # it may come in where nothing propagates
arrived, armed, done = 0, False, False

def handler(*_):
    global arrived
    arrived += 1
    raise KeyboardInterrupt

def send():
    global armed
    while not done:
        if armed:
            armed = False
            signal.raise_signal(signal.SIGINT)

def callback(*_, **__):
    return [number for number in range(20)]

def go_on(turn):
    global armed
    armed = True  # for one, which arrives while this runs
    while arrived == turn:
        thing = Thing()
        f = finalize(thing, callback, [1], value=2)
        f.peek()
        Special(thing, callback)
        finalize(cycle(), callback)()
        del thing

signal.signal(signal.SIGINT, handler)
thread = threading.Thread(target=send)
thread.start()
for turn in range(200):
    try:
        go_on(turn)
    except KeyboardInterrupt:
        pass
done = True
thread.join()
gc.collect()
for f in list(finalize._registry):
    assert f.alive and f.detach()
say(arrived, len(finalize._registry))
"""

INTERRUPTED_IN_CONSTRUCTORS = """
# The signal comes in while the constructor allocates: a collection begins there, and its hook
# raises it. Python shows it at its next step.
def hook(phase, info):
    global armed
    if armed:
        armed = False
        _thread.interrupt_main()

import _thread
armed, results = False, []
sys.unraisablehook = lambda args: results.append("in the hook")
gc.callbacks.append(hook)
thing = Thing()
for number in range(300):
    before = len(finalize._registry)
    f = None
    try:
        gc.set_threshold(1, 1, 1)
        armed = True
        f = (finalize, Special)[number % 2](thing, work, [number], value=[number])
        for _ in range(10):
            pass
        results.append("not interrupted")
    except KeyboardInterrupt:
        results.append("interrupted")
    finally:
        armed = False
        gc.set_threshold(700, 10, 10)
    # All or nothing.
    made = len(finalize._registry) - before
    assert made in (0, 1), made
    for f in list(finalize._registry):
        assert f.alive and f.peek()[2] == ([number],)
        f.detach()
gc.callbacks.clear()
say(len(results) >= 300, "interrupted" in results or "in the hook" in results)
"""

INTERRUPTED_IN_CALLBACKS = """
def interrupted():
    signal.raise_signal(signal.SIGINT)
    say("never")

reports = []
sys.unraisablehook = lambda args: reports.append(args.exc_type.__name__)
for kind in (finalize, Special):
    kind(Thing(), interrupted)
    kind(cycle(), interrupted)
    gc.collect()
    try:
        kind(keep(), interrupted)()
    except KeyboardInterrupt:
        reports.append("caught")
say(*reports)
sys.excepthook = lambda kind, error, trace: say("at exit", kind.__name__)
finalize(keep(), say, "older")
finalize(keep(), interrupted)
Special(keep(), interrupted)
"""

RE_ENTERED = """
class Argument:
    # Whatever lets go of it meets a finalizer that is used again at once.
    def __del__(self):
        f.peek(), f.detach(), f(), repr(f), f.alive
        f.__init__(keep(), work, 1)
        finalize._registry.clear()
        finalize(Thing(), work, [2])

for kind in (finalize, Special):
    for _ in range(200):
        f = kind(keep(), work, Argument(), value=Argument())
        f.__init__(keep(), work, Argument())
        f()
        f.__init__(keep(), work, Argument())
        f.peek()
        f.detach()
        f.__init__(cycle(), work, Argument())
        gc.collect()
        f.__init__(keep(), work, Argument())
        finalize._registry.clear()
f = None
say(len(finalize._registry) <= 1)
finalize._registry.clear()
"""

FORKED = """
def child():
    global f
    f(), f.peek(), repr(f)
    things.clear()
    finalize(Thing(), work), Special(cycle(), work)
    gc.collect()
    finalize._exitfunc()

things = [Thing() for _ in range(100)]
for thing in things:
    f = Special(thing, work, [1])
    f = finalize(thing, work, [1])
del thing
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        child()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
things.clear()
say(count)
"""

PROGRAMS = {
    "objects dying in threads": (DYING_IN_THREADS, ["4800 0"]),
    "finalizers shared by threads": (SHARED_BY_THREADS, ["False 0"]),
    "chains of objects": (TRASHCAN, ["100000 0"] * 4),
    "deep chains of anything": (DEEP, ["20000 0"] * 4),
    "nested callbacks": (NESTED_CALLBACKS, ["True True"]),
    "shutdown": (SHUTDOWN, ["in time"] * 4 + ["late"] * 3),
    "first one in shutdown": (FIRST_IN_SHUTDOWN, ["late"]),
    "a daemon thread that goes on": (WHILE_A_DAEMON_GOES_ON, ["in time"]),
    "daemon threads cut off in callbacks": (CUT_OFF, ["the threads are gone"]),
    "frozen": (FROZEN, ["160"]),
    "collected at every allocation": (COLLECTED_AT_EVERY_ALLOCATION, ["1200 0"]),
    "a hook of the collector": (A_HOOK_OF_THE_COLLECTOR, ["0"]),
    "interrupted": (INTERRUPTED, ["200 0"]),
    "interrupted in constructors": (INTERRUPTED_IN_CONSTRUCTORS, ["True True"]),
    "interrupted in callbacks": (
        INTERRUPTED_IN_CALLBACKS,
        ["KeyboardInterrupt KeyboardInterrupt caught KeyboardInterrupt KeyboardInterrupt caught"]
        + ["at exit KeyboardInterrupt"] * 2
        + ["older"],
    ),
    "re-entered": (RE_ENTERED, ["True"]),
    "forked": (FORKED, ["200"]),
}
