"""Child processes and a thread pool, shut down when their owner goes.

`__del__` is one function for everything: when one step fails, the later ones never happen. With a
finalizer for each, one that fails stops no other.

At exit Python waits for its threads before it runs finalizers. So let no thread wait for a child
that only a finalizer would end: the program would never end.
"""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from lastly import finalize

# A worker: it says each line again, in capitals, until it is told to stop.
ECHO = "for line in iter(input, 'stop'): print(line.upper(), flush=True)"

# What goes wrong in a finalizer, as in `__del__`, is reported here.
sys.unraisablehook = lambda it: print("reported:", type(it.exc_value).__name__)

Child = subprocess.Popen[bytes]


def start() -> Child:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", ECHO], bufsize=0, stdin=pipe, stdout=pipe)


def ask(child: Child, text: str) -> str:
    assert child.stdin and child.stdout
    child.stdin.write(f"{text}\n".encode())
    return child.stdout.readline().decode().strip()


def stop(child: Child) -> None:
    with child:  # closes the pipes, and waits
        assert child.stdin
        child.stdin.write(b"stop\n")


class WorkersWithDel:
    def __init__(self) -> None:
        self.children = [start() for _ in range(3)]

    def __del__(self) -> None:
        for child in self.children:
            stop(child)


class Workers:
    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(3)
        self.children = [start() for _ in range(3)]
        finalize(self, self.threads.shutdown)
        for child in self.children:
            finalize(self, stop, child)

    def ask(self, *texts: str) -> list[str]:
        return list(self.threads.map(ask, self.children, texts))


def running(children: list[Child]) -> int:
    return sum(child.poll() is None for child in children)


for kind in (WorkersWithDel, Workers):
    workers = kind()
    if isinstance(workers, Workers):
        print(workers.ask("one", "two", "three"))
    children = workers.children
    children[0].kill()
    children[0].wait()  # it has crashed: it cannot be told to stop any more
    del workers
    print(f"{kind.__name__}: {running(children)} of 3 children are left running")
    for child in children:
        if child.poll() is None:
            stop(child)
print("threads:", threading.active_count())

left: list[Child] = []
finalize(Workers, lambda: print("at exit:", running(left)))  # the older one runs later
workers = Workers()
left += workers.children
