"""Installs lastly when a Python starts: `python -m lastly run` puts this directory on the path.

Then it makes way for the `sitecustomize` that would have run without it. The Python may be any
that the program starts, one in which lastly cannot be imported too: that must not show.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def install() -> None:
    path = sys.path[:]
    # Last, so that an environment's own lastly comes first.
    sys.path.append(os.path.dirname(os.path.dirname(HERE)))
    try:
        import lastly
    except Exception:  # an extension of another version, a syntax that it does not know
        return
    finally:
        sys.path[:] = path
    lastly.install()


def make_way() -> None:
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if os.path.abspath(entry) != HERE]
    this = sys.modules.pop(__name__)
    try:
        __import__(__name__)
    except ImportError as error:
        if getattr(error, "name", __name__) != __name__:
            raise
        sys.modules[__name__] = this
    finally:
        sys.path[:] = path


install()
make_way()
