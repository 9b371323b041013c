"""What `generate logrotate` makes, by a real logrotate: of a log that nginx writes no line is lost, and an app goes on."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.polling import until
from proxyswitch.system import net, run, signals
from tests.conftest import missing
from tests.e2e.support import NGINX
from tests.generate.support import files
from tests.ports import free_port

LIMIT = 30.0
CONF = """\
{user}daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 128; }}
http {{
    log_format n '$arg_n';
    access_log {folder}/logs/tries.log n buffer=4k flush=1s;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}
}}
"""
WRITES = "import itertools, time\nfor n in itertools.count():\n    print(n, 'x' * 2000, flush=True)\n    time.sleep(0.001)\n"


@pytest.fixture(scope="module")
def logrotate() -> str:
    found = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        missing("logrotate", "apt-get install --no-install-recommends logrotate")
    return str(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir(mode=0o755)
    return tmp_path


def made(folder: Path, words: str) -> Path:
    """The file that generate makes."""
    (text,) = files(f"logrotate --name web {words}").values()
    path = folder / "web.conf"
    path.write_text(text)
    path.chmod(0o644)
    return path


def rotate(logrotate: str, conf: Path, *words: str) -> None:
    done = run.run(run.Command((logrotate, *words, "-s", str(conf.with_suffix(".state")), str(conf)), timeout=60))
    assert (done.code, done.err) == (0, "")


@pytest.fixture
def nginx(folder: Path, nginx_binary: str) -> Iterator[int]:  # it skips where there is none
    port = free_port()
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONF.format(folder=folder, port=port, user=user))
    with subprocess.Popen([NGINX, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]) as server:
        try:
            assert until(lambda: net.is_listening(Endpoint("127.0.0.1", port)) or None, LIMIT)
            yield port
        finally:
            server.terminate()
            server.wait(LIMIT)


def lines(folder: Path) -> list[str]:
    """All that was logged, from all files."""
    texts = [
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in (folder / "logs").glob("tries.log*")
    ]
    return b"".join(texts).decode().split()


def test_no_line_of_nginx_is_lost(folder: Path, logrotate: str, nginx: int) -> None:
    conf = made(folder, f"--nginx-log {folder}/logs/tries.log --pidfile {folder}/nginx.pid --keep 20")
    asked: list[str] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            asked.append(str(len(asked)))
            urllib.request.urlopen(f"http://127.0.0.1:{nginx}/?n={asked[-1]}", timeout=LIMIT).close()

    client = threading.Thread(target=ask)
    client.start()
    try:
        for rotation in range(1, 5):
            assert until(lambda: (folder / "logs" / "tries.log").stat().st_size or None, LIMIT), rotation  # it is reopened
            rotate(logrotate, conf, "-f")
    finally:
        ended.set()
        client.join()
    assert until(lambda: len(lines(folder)) == len(asked) or None, LIMIT), (len(lines(folder)), len(asked))
    assert sorted(lines(folder)) == sorted(asked)
    names = {path.name for path in (folder / "logs").iterdir()}
    assert names == {"tries.log", "tries.log.1", "tries.log.2.gz", "tries.log.3.gz", "tries.log.4.gz"}


def test_the_log_of_an_app_that_grows_is_cut_and_the_app_goes_on(folder: Path, logrotate: str) -> None:
    log, other = folder / "logs" / "web-blue-1.log", folder / "logs" / "web-blue-0.log"
    other.write_text("the last words of the version before\n")
    old = folder / "logs" / "web-gone.log.1.gz"
    old.touch()
    os.utime(old, (0, 0))
    conf = made(folder, f"--app-log '{folder}/logs/web-*.log' --size 100K")
    rotate(logrotate, conf)  # nothing is large yet
    assert old.exists()
    app = run.spawn(run.Detached((sys.executable, "-c", WRITES), {}, str(log), str(folder)))
    try:
        assert until(lambda: log.stat().st_size > 200_000 or None, LIMIT)
        rotate(logrotate, conf)
        assert until(lambda: log.stat().st_size or None, LIMIT)
        assert log.read_bytes()[:1] != b"\0"  # it is appended to, and no hole is left
        assert re.match(rb"\d+ x", gzip.decompress((folder / "logs" / "web-blue-1.log.1.gz").read_bytes()))
    finally:
        signals.send(app, signals.KILL)
        os.waitpid(app.pid, 0)
    assert other.read_text() == "the last words of the version before\n"
    assert not old.exists()
