"""A PostgreSQL server for one test run: in a temporary directory, reached by a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# It starts within seconds. A hang must not take the suite's time.
WATCHDOG = 60

# Debian and its kin keep the server's programs off the path, by version.
ELSEWHERE = "/usr/lib/postgresql"


def programs() -> Path | None:
    """Where this machine has `initdb` and `pg_ctl`, if it has."""
    versions = sorted(Path(ELSEWHERE).glob("*/bin"), key=lambda path: float(path.parent.name))
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, reversed(versions))])
    found = shutil.which("initdb", path=path)
    # What is on the path may be a link, and the others lie beside what it points to.
    return Path(found).resolve().parent if found else None


def owner() -> pwd.struct_passwd | None:
    """Whom the server runs as, if not as us: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = [user.pw_name for user in pwd.getpwall()]
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """A running server, by its DSN."""
    # Short, and open to its owner all the way down: a socket's path may have some 100 characters.
    directory = tempfile.mkdtemp(prefix="pg", dir="/tmp")
    user: dict[str, Any] = {}
    if someone := owner():
        os.chown(directory, someone.pw_uid, someone.pw_gid)
        user = {"user": someone.pw_uid, "group": someone.pw_gid, "extra_groups": []}

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "--pgdata", f"{directory}/data", *arguments]
        done = subprocess.run(
            command,
            cwd=directory,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WATCHDOG,
            **user,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}"

    try:
        run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--username=postgres")
        options = f"-F -k {directory} -c listen_addresses=''"
        run("pg_ctl", "start", "--wait", "--log", f"{directory}/log", "--options", options)
        try:
            yield f"host={directory} user=postgres dbname=postgres"
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate")
    finally:
        shutil.rmtree(directory)
