"""Real nginx as the judge of a config: `nginx -t`, which binds nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import FIXTURES


class Nginx:
    """`nginx -t` on configs in temporary folders."""

    def __init__(self, binary: str, global_directives: str) -> None:
        self.binary = binary
        self.global_directives = global_directives

    def test(self, conf: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Run `nginx -t -c conf`; everything that it says is in `.stderr`."""
        folder = str(Path(conf).parent)
        argv = [self.binary, "-t", "-e", "stderr", "-p", folder, "-c", str(conf), "-g", self.global_directives]
        return subprocess.run(argv, capture_output=True, check=False, timeout=30)


def copy_fixture(name: str, to: Path) -> Path:
    """A copy of a fixture folder, links kept, with the certificate that it names. Returns its main config."""
    folder = to / name
    shutil.copytree(FIXTURES / "nginx" / name, folder, symlinks=True)
    return folder / "nginx.conf"


def make_certificate(folder: Path) -> None:
    folder.mkdir()
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.example.com"]
    argv += ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
