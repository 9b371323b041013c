"""nginx and HAProxy of three releases of Debian, each in a folder to chroot into: what is made for them is put at its real
place there, and they judge it. Nothing of the machine is touched, and nothing is started.

`scripts/runners matrix` makes the folders; a test gets a copy whose files are links to them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import missing
from tests.runners import store

SUITES = ("bookworm", "trixie", "sid")
STORE = store.STORE / "matrix"
NULL = 0o666


class Root(NamedTuple):
    """One release: its copy, to put files into and to run its programs in."""

    suite: str
    folder: Path

    def put(self, path: str, text: str | bytes) -> None:
        """A file at that absolute path in there. One that is there is a link into the store, so it is replaced."""
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["chroot", str(self.folder), *argv], capture_output=True, text=True, timeout=60, check=False, env={"PATH": PATH}
        )

    def version(self, program: str) -> str:
        """The version of `nginx` or `haproxy` in there, as 1.26.3."""
        done = self.run(program, "-v")
        found = re.search(r"(?:nginx/|HAProxy version )(\d+\.\d+\.\d+)", done.stdout + done.stderr)
        assert found, done
        return found[1]

    def openssl(self) -> str:
        """The version of OpenSSL in there, as 3.5.9."""
        return self.run("openssl", "version").stdout.split()[1]


PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def copy(suite: str, to: Path) -> Root:
    """A copy of a release for one test. Needs root, for chroot."""
    if os.geteuid():
        pytest.skip("chroot needs root")
    source = STORE / suite
    if not source.is_dir():
        missing(f"nginx and HAProxy of {suite}", "scripts/runners matrix")
    folder = to / suite
    linked = subprocess.run(["cp", "-al", str(source), str(folder)], capture_output=True, check=False)
    if linked.returncode:  # another disk
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-a", str(source), str(folder)], check=True)
    (folder / "dev").mkdir(exist_ok=True)
    for name, minor in (("null", 3), ("urandom", 9)):
        if not (folder / "dev" / name).exists():
            os.mknod(folder / "dev" / name, 0o20000 | NULL, os.makedev(1, minor))
    return Root(suite, folder)
