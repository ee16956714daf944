"""Objects that cannot die, found at any time: `check`."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections.abc import Iterator
from itertools import repeat
from random import Random
from textwrap import dedent

import pytest
from captures import ASKED, Thing, captures_of, nested, refusing, work

import lastly
from fresh import run
from lastly import finalize


@pytest.fixture(autouse=True)
def in_silence() -> Iterator[None]:
    lastly.check_captures(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    lastly.check_captures(sys.flags.dev_mode)


class Refusing(finalize):
    """A finalizer that tells nothing of itself."""

    alive = property(refusing("alive"))  # type: ignore[assignment]
    peek = refusing("peek")
    __repr__ = refusing("repr of the finalizer")
    __eq__ = refusing("eq of the finalizer")
    __hash__ = refusing("hash of the finalizer")


def test_no_code_of_the_finalizers_runs() -> None:
    one, other = Thing(), Thing()
    f, g = Refusing(one, work, [other]), Refusing(other, work, x=one)
    ASKED.clear()
    assert [each.path.partition(" of <")[0] for each in captures_of(f, g)] == [
        "kwargs['x']",
        "args[0][0]",
    ]
    assert ASKED == []
    f.detach()
    g.detach()


def test_a_check_goes_further() -> None:
    thing = Thing()
    f = finalize(thing, work, nested(thing, 100_000))
    g = finalize(Thing(), work, nested(thing, 100_000))
    assert [each.path for each in captures_of(f, g)] == [f"…{'[0]' * 8} of what a callback owns"]
    assert lastly.check().complete
    f.detach()
    g.detach()


def test_a_check_says_whether_it_is_complete() -> None:
    thing, other = Thing(), Thing()
    f, g = finalize(thing, work, nested(thing, 10)), finalize(other, work, [other])
    found = lastly.check(limit=9)
    assert not found.complete
    with pytest.raises(ValueError, match="at least 1 reference, not 0"):
        lastly.check(limit=0)
    f.detach()
    g.detach()


def name(f: finalize) -> str:
    return finalize.__repr__(f)


def test_a_check_finds_what_owns_itself() -> None:
    thing, free = Thing(), Thing()
    f, g = finalize(thing, work, a=Thing(owner=thing)), finalize(free, work, Thing(x=Thing()))
    (found,) = captures_of(f, g)
    assert found == (f, "kwargs['a'].owner", "captures.Thing", "captures.work", None)
    assert str(found) == (
        "cleanup of captures.Thing by captures.work: "
        "the object cannot die before exit, as it is kwargs['a'].owner"
    )
    with pytest.raises(AttributeError):
        found.path = ""
    f.detach()
    g.detach()
    assert captures_of(f, g) == []


def test_it_says_where_finalizers_were_created() -> None:
    lastly.report.record_sites()
    thing = Thing()
    f = finalize(thing, work, [thing])
    lastly.report.record_sites(False)
    (found,) = captures_of(f)
    assert found.created is not None and __file__ in found.created
    assert f"(created at {found.created})" in str(found)
    f.detach()


def test_objects_that_keep_each_other_alive() -> None:
    one, other = Thing(), Thing()
    f, g = finalize(one, work, Thing(peer=other)), finalize(other, work, [one])
    assert [each.path for each in captures_of(f, g)] == [
        f"args[0][0] of {name(g)}, whose object is args[0].peer of this finalizer",
        f"args[0].peer of {name(f)}, whose object is args[0][0] of this finalizer",
    ]
    assert f() is None
    assert captures_of(f, g) == []
    g.detach()


def test_what_they_own_cannot_die_either() -> None:
    thing, owned, last = Thing(), Thing(), Thing()
    thing.owned = owned  # type: ignore[attr-defined]
    f, g, h = finalize(thing, work, [thing]), finalize(owned, work, last), finalize(last, work)
    second = finalize(thing, print)
    assert [each.path for each in captures_of(f, g, h, second)] == [
        "args[0][0]",
        f"args[0][0].owned of {name(f)}, whose object is args[0][0] of itself",
        f"args[0] of {name(g)}, whose object is args[0][0].owned of {name(f)}, "
        "whose object is args[0][0] of itself",
        f"args[0][0] of {name(f)}, whose object is args[0][0] of itself",
    ]
    for each in (f, g, h, second):
        each.detach()


def test_a_chain_that_ends_is_none() -> None:
    things = [Thing() for _ in range(10)]
    finalizers = [finalize(*pair) for pair in zip(things, repeat(work), things[1:])]
    assert captures_of(*finalizers) == []
    finalizers.append(finalize(things[-1], work, things[0]))
    found = captures_of(*finalizers)
    assert [each.finalizer for each in found] == finalizers
    assert all(each.path.endswith(", whose object cannot die either") for each in found)
    for each in finalizers:
        each.detach()


def test_what_is_shared_is_named_from_each() -> None:
    shared: list[Thing] = [Thing() for _ in range(3)]
    finalizers = [finalize(thing, work, Thing(all=shared)) for thing in shared]
    assert [each.path for each in captures_of(*finalizers)] == [
        "args[0].all[0]",
        "args[0].all[1]",
        "args[0].all[2]",
    ]
    for each in finalizers:
        each.detach()


def test_a_cycle_of_objects_alone_is_none() -> None:
    thing = Thing()
    thing.itself = thing  # type: ignore[attr-defined]
    ring = Thing(thing=thing)
    thing.ring = ring  # type: ignore[attr-defined]
    f = finalize(thing, work, weakref.ref(thing))
    g = finalize(Thing(x=ring), work, [[ring]])
    assert captures_of(f, g) == []
    f.detach()


@pytest.mark.parametrize("seed", range(300))
def test_random_graphs_against_a_rule_that_knows_nothing_of_them(seed: int) -> None:
    random = Random(seed)
    nodes = [Thing(owned=[]) for _ in range(random.randint(2, 12))]
    for _ in range(random.randint(0, 12)):
        random.choice(nodes).__dict__["owned"].append(random.choice(nodes))
    watched = random.choices(nodes, k=random.randint(1, 8))
    callbacks = [random.choices(nodes, k=random.randint(0, 2)) for _ in watched]
    finalizers = [finalize(thing, work, *owned) for thing, owned in zip(watched, callbacks)]

    def owned_by(callback: list[Thing]) -> set[int]:
        met, todo = set(), list(callback)
        while todo:
            thing = todo.pop()
            if id(thing) not in met:
                met.add(id(thing))
                todo += thing.__dict__["owned"]
        return met

    # Those whose object one of the others owns, until none falls out.
    immortal = list(range(len(watched)))
    while True:
        owned = {each for at in immortal for each in owned_by(callbacks[at])}
        left = [at for at in immortal if id(watched[at]) in owned]
        if left == immortal:
            break
        immortal = left
    found = captures_of(*finalizers)
    assert [each.finalizer for each in found] == [finalizers[at] for at in immortal]
    for capture, at in zip(found, immortal):
        its_own = id(watched[at]) in owned_by(callbacks[at])
        assert (" of <" not in capture.path) == its_own
        if its_own:
            assert eval(capture.path, {"args": callbacks[at]}) is watched[at]
    for each in finalizers:
        each.detach()


def test_finalizers_that_come_and_go_on_other_threads() -> None:
    program = """
        import lastly, threading
        from lastly import finalize
        class Thing: pass
        stop = threading.Event()
        def come_and_go():
            while not stop.is_set():
                things = [Thing() for _ in range(20)]
                for thing in things:
                    finalize(thing, list, [thing, things]).atexit = False
                    finalize(thing, list, [Thing()]).atexit = False
                for thing in things:
                    for f in [f for f in finalize._registry if f.alive and f.peek()][:5]:
                        if f is not mine:
                            f.detach()
        thing = Thing()
        mine = finalize(thing, list, [thing])
        mine.atexit = False
        lastly.check_captures(False)
        threads = [threading.Thread(target=come_and_go) for _ in range(3)]
        for thread in threads: thread.start()
        for _ in range(30):
            found = [each for each in lastly.check() if each.finalizer is mine]
            assert [each.path for each in found] == ["args[0][0]"], found
        stop.set()
        for thread in threads: thread.join()
        print("done")
    """
    ended = run("-W", "ignore", "-c", dedent(program))
    assert (ended.said, ended.complaints) == (["done"], ""), ended


def test_whatever_happens_between_two_steps_of_a_search() -> None:
    # The interpreter tells its auditors of every step.
    program = """
        import gc, sys, lastly
        from lastly import finalize
        class Thing: pass
        lastly.check()
        def play(stop, act, search):
            global armed, step
            things = [Thing() for _ in range(4)]
            box = {n: [thing] for n, thing in enumerate(things)}
            finalizers = [finalize(thing, list, box) for thing in things]
            step, armed = stop, lambda: act(things, box, finalizers)
            search(things, box)
            happened, armed = armed is None, None
            for f in finalizers: f.detach()
            return happened
        armed, step = None, 0
        def audit(event, _):
            global armed, step
            if event == "gc.get_referents" and armed is not None:
                step -= 1
                if step < 0:
                    act, armed = armed, None
                    act()
        sys.addaudithook(audit)
        def call(things, box, finalizers):
            for f in finalizers: f()
        def empty(things, box, finalizers):
            del things[:]
            for each in box.values(): each.clear()
            box.clear()
            gc.collect()
        def grow(things, box, finalizers):
            for n in range(1000): box[n, "new"] = [Thing()]
            finalizers.append(finalize(things[0], list, [things]))
        def create(things, box): finalize(things[0], list, [box]).detach()
        for act in (call, empty, grow):
            for search in (lambda *_: lastly.check(), create):
                stop = 0
                while play(stop, act, search): stop += 1
                assert stop > 2, (act, stop)
        print("done")
    """
    ended = run("-W", "ignore", "-c", dedent(program))
    assert (ended.said, ended.complaints) == (["done"], ""), ended


@pytest.mark.slow
@pytest.mark.parametrize("owns", ["a name", "a list", "all", "itself", "the next"])
def test_a_hundred_thousand_finalizers(owns: str) -> None:
    things = [Thing() for _ in range(100_000)]
    for at, thing in enumerate(things):
        following = things[(at + 1) % len(things)]
        owned = {
            "a name": "name",
            "a list": ["name", {"a": [Thing()]}],
            "all": things,
            "itself": [thing],
            "the next": [following],
        }[owns]
        finalize(thing, work, owned)
    finalizers = list(finalize._registry)
    found = lastly.check()
    assert found.complete
    if owns in ("a name", "a list"):
        assert len(found) == 0
    else:
        assert len(found) == len(finalizers)
        assert len({each.path for each in found}) == (1 if owns == "itself" else len(finalizers))
    for each in finalizers:
        each.detach()
