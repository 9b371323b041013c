"""The fixtures are configs that real HAProxy accepts, or refuses where their name says so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.bench.haproxy_config import big
from tests.conftest import FIXTURES

FOLDER = FIXTURES / "haproxy"
CONFIGS = sorted(p.name for p in FOLDER.glob("*.cfg"))
BAD = [name for name in CONFIGS if name.startswith("bad-")]
GOOD = [name for name in CONFIGS if name not in BAD]
ONLY_WITH_MASTER = ["no-listener.cfg", "program.cfg"]
# as HAProxy reads the first word of a line; `server` is in all of them
SECTIONS = """
global defaults frontend backend listen userlist peers resolvers mailers program cache ring log-forward http-errors fcgi-app
"""
# they need a certificate, a revocation list, a network namespace, or an old OpenSSL
NEED_MORE = {"crt", "crl-file", "namespace", "force-sslv3"}


def check(haproxy: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """`haproxy -c`, which binds nothing, with no variables but its own."""
    argv = [haproxy, *arguments, "-c"]
    return subprocess.run(argv, cwd=FOLDER, env={"LC_ALL": "C"}, capture_output=True, check=False, timeout=60)


def accepted(done: subprocess.CompletedProcess[bytes]) -> bool:
    """It can only be an answer of HAProxy when there is nothing else in its status: 0, 1, or 2 for no listener."""
    assert done.returncode in (0, 1, 2), done.stderr.decode(errors="replace")
    return done.returncode == 0


def test_there_are_fixtures() -> None:
    assert len(GOOD) >= 25
    assert len(BAD) >= 35


@pytest.mark.parametrize("name", GOOD)
def test_haproxy_accepts(name: str, haproxy_binary: str) -> None:
    done = check(haproxy_binary, "-W", "-f", name)
    assert accepted(done), done.stderr.decode(errors="replace")


@pytest.mark.parametrize("name", GOOD)
def test_a_plain_process_accepts_all_but_two(name: str, haproxy_binary: str) -> None:
    assert accepted(check(haproxy_binary, "-f", name)) == (name not in ONLY_WITH_MASTER)


@pytest.mark.parametrize("name", BAD)
def test_haproxy_refuses(name: str, haproxy_binary: str) -> None:
    done = check(haproxy_binary, "-W", "-f", name)
    assert not accepted(done)
    assert f"[{name}:".encode() in done.stderr or b"Proxy" in done.stderr or b"backend" in done.stderr


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one_says_what_is_wrong(name: str) -> None:
    assert re.match(rb"# [A-Z][^\n]{15,}\.\n", (FOLDER / name).read_bytes())


@pytest.mark.parametrize("name", BAD)
def test_its_first_line_is_not_what_is_wrong(name: str, haproxy_binary: str, tmp_path: Path) -> None:
    rest = tmp_path / name
    rest.write_bytes((FOLDER / name).read_bytes().partition(b"\n")[2])
    assert not accepted(check(haproxy_binary, "-W", "-f", str(rest)))


def test_one_prints_an_alert_and_is_accepted(haproxy_binary: str) -> None:
    done = check(haproxy_binary, "-f", "alert.cfg")
    assert accepted(done)
    assert b"[ALERT]" in done.stderr


def test_several_files_are_one_config(haproxy_binary: str) -> None:
    files = sorted(p.name for p in (FOLDER / "several").glob("[!.]*.cfg"))
    assert accepted(check(haproxy_binary, "-f", "several"))
    assert accepted(check(haproxy_binary, *(word for name in files for word in ("-f", f"several/{name}"))))
    assert not accepted(check(haproxy_binary, "-W", "-f", "several", "-f", "several/40-app.cfg.bak"))


def test_the_state_file_counts(haproxy_binary: str) -> None:
    said = check(haproxy_binary, "-f", "state-global.cfg").stderr
    assert b"Server app/app-blue remains in forced drain mode" in said
    assert b"Server app/app-green is UP/READY (leaving forced maintenance)" in said


def test_every_section_is_there() -> None:
    found = {line.split()[0] for name in GOOD for line in (FOLDER / name).read_bytes().splitlines() if line.split()}
    assert {section.encode() for section in SECTIONS.split()} <= found


def test_every_word_of_a_server_line_is_there(haproxy_binary: str) -> None:
    listed = check(haproxy_binary, "-dKall", "-q", "-f", "/dev/null").stdout.decode()
    known = re.findall(r"^\tserver <name> <addr> (?:ssl )?([\w-]+)", listed, re.MULTILINE)
    rows = [
        set(row.split()) for row in (FOLDER / "server-words.cfg").read_text().splitlines() if row.split()[:1] == ["server"]
    ]
    assert len(known) > 90
    assert {word for word in known if not any(word in row for row in rows)} <= NEED_MORE


def test_bytes_that_an_editor_might_have_spoilt() -> None:
    crlf = (FOLDER / "crlf.cfg").read_bytes()
    assert crlf.count(b"\n") == crlf.count(b"\r\n") > 10
    assert b"\r\n" in (FOLDER / "mixed-ends.cfg").read_bytes()
    assert b" \n" in (FOLDER / "blanks.cfg").read_bytes()
    assert b"\t\n" in (FOLDER / "blanks.cfg").read_bytes()
    assert not (FOLDER / "bad-truncated.cfg").read_bytes().endswith(b"\n")
    assert max(map(len, (FOLDER / "long-lines.cfg").read_bytes().splitlines())) > 10_000
    with pytest.raises(UnicodeDecodeError):
        (FOLDER / "latin1.cfg").read_text(encoding="utf-8")


@pytest.mark.parametrize(("backends", "servers"), [(1, 1), (7, 31), (1000, 10_000)])
def test_a_big_config(backends: int, servers: int, haproxy_binary: str, tmp_path: Path) -> None:
    data = big(backends, servers)
    assert data.count(b"\nbackend ") == backends
    assert data.count(b"\n    server ") == servers
    (tmp_path / "big.cfg").write_bytes(data)
    done = check(haproxy_binary, "-f", str(tmp_path / "big.cfg"))
    assert accepted(done), done.stderr[:2000].decode()
