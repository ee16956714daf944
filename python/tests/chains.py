"""Programs of `crashes` in which each death happens inside the one before."""

from __future__ import annotations

TRASHCAN = """
def chain(length, link):
    first = last = Thing()
    for _ in range(length):
        following = Thing()
        link(last, following)
        last = following
    return first

def arguments(last, following):
    finalize(last, work, following)

def nested(last, following):
    finalize(last, work, ((((following,),),),), value=[{1: following}])

def subclass(last, following):
    Special(last, work, following).more = following

def attribute(last, following):
    last.following = following
    finalize(last, work)

for link in (arguments, nested, subclass, attribute):
    chain(100_000, link)
    gc.collect()
    say(count, len(finalize._registry))
    count = 0
"""

DEEP = """
# The same on a stack that a few hundred levels fill: what holds the next object may be anything.
import functools, types

def function():
    def held(*_):
        global count
        count += 1
    return held

def chain(link):
    first = last = function()
    for _ in range(20_000):
        following = function()
        link(last, following)
        last = following
    return first

def arguments(last, following):
    finalize(last, work, following)

def callback(last, following):
    finalize(last, following)

def part(last, following):
    finalize(last, functools.partial(following))

def method(last, following):
    finalize(last, types.MethodType(following, 1))

def run():
    global count
    for link in (arguments, callback, part, method):
        count = 0
        chain(link)
        say(count, len(finalize._registry))

threading.stack_size(512 * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""

NESTED_CALLBACKS = """
# Each callback lets the next object die, while it runs: Python's limit must stop this, not the end
# of the stack.
def let_the_next_die():
    work()
    if things:
        things.pop()

reports = []
sys.unraisablehook = reports.append
things = [Thing() for _ in range(100_000)]
for thing in things:
    finalize(thing, let_the_next_die)
del thing
while things:
    things.pop()
say({report.exc_type for report in reports} <= {RecursionError}, count > 10_000)
finalize._registry.clear()
"""
