"""What goes wrong, or is still going on, while a program ends: the rest runs all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from endings import play


@pytest.mark.parametrize(
    "count", [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)], ids=["some", "a million"]
)
def test_half_of_them_fail(tmp_path: Path, count: int) -> None:
    program = f"""
        from lastly import report

        ran, told = [], []
        report.set_hook(told.append)

        def fail(number):
            raise [ValueError, SystemExit][number // 2 % 2](number)

        finalize(lambda: say(len(ran), "ran,", len(told), "are reported"))
        for number in range({count}):
            finalize(ran.append if number % 2 else fail, number)
    """
    ended = play(tmp_path, program)
    assert ended.said == [f"{count // 2} ran, {count // 2} are reported"]
    assert (ended.complaints, ended.status) == ("", 0)


def test_memory_runs_out(tmp_path: Path) -> None:
    program = """
        import resource

        def fill():
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
            parts = []
            while True:
                parts.append(bytearray(64 << 20))

        finalize(say, "oldest")
        finalize(fill)
        finalize(say, "newest")
    """
    ended = play(tmp_path, program)
    assert ended.said == ["newest", "oldest"]
    assert ended.complaints.count("MemoryError") == 1
    assert ended.status == 0


def test_a_pool_that_is_still_at_work(tmp_path: Path) -> None:
    # The interpreter waits for the workers before it calls any handler: the drain finds what they
    # have made, and nothing comes too late.
    program = """
        from concurrent.futures import ThreadPoolExecutor

        last_line = threading.Event()

        def work(number):
            last_line.wait()
            finalize(say, "of task", number)

        finalize(say, "of main")
        pool = ThreadPoolExecutor(1)
        pool.submit(work, 1)
        pool.submit(work, 2)
        last_line.set()
    """
    ended = play(tmp_path, program)
    assert ended.said == ["of task 2", "of task 1", "of main"]
    assert (ended.complaints, ended.status) == ("", 0)
