"""`canary POOL`: how the two sides do, from nginx's log of all tries, on a pool that `adopt` has brought there."""

from __future__ import annotations

import http.client
import os
import pty
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.proxies import nginx_flags
from proxyswitch.system import signals
from tests.e2e.instant_support import InstantBench
from tests.e2e.support import CONF, POOLS, Bench, Run, eventually
from tests.ports import free_port

CLIENTS = 200
SERVERS = """\
    server {{ listen 127.0.0.1:{blue}; location / {{ return 200 blue; }} }}
    server {{ listen 127.0.0.1:{green}; location / {{ {answer} }} }}
"""
COLUMNS = ["slot", "share", "tries", "failed", "5xx", "no answer", "left", "p50", "p95", "p99"]


class Watched(InstantBench):
    """Green can be ill, and blue answers in its place; each client is told by a header."""

    sent = 0

    @property
    def tries(self) -> Path:
        return self.folder / "tries.log"

    def serve(self, answer: str = "return 200 green;") -> None:
        """nginx runs, and its pool is as people have it."""
        self.blue, self.green = free_port(), free_port()
        servers = SERVERS.replace("{blue}", str(self.blue)).replace("{green}", str(self.green)).replace("{answer}", answer)
        conf = CONF.replace("    server {{\n", f"{servers}    server {{{{\n", 1)
        next_one = "            proxy_next_upstream error timeout http_500;\n            proxy_read_timeout 60s;\n"
        self.write(self.blue, conf.replace("            proxy_read_timeout 60s;\n", next_one), POOLS)
        self.start()

    def adopt(self, *words: str) -> None:
        blue, green = self.addresses
        slots = ("--blue", blue, "--green", green, "--sticky", "header:X-Client")
        result = self.run("adopt", "app_backend", *slots, "--yes", *words)
        assert result.code == 0, result.err

    def canary(self, share: str) -> str:
        """Set the share; what was said on stderr."""
        result = self.run("canary", "app_backend", share)
        assert result.code == 0, result.err
        return result.err

    def send(self, number: int = CLIENTS) -> int:
        """So many clients ask; each must get a good answer. Returns once the log has them; how many blue answered."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        found = [self.ask(client, n) for n in range(self.sent, self.sent + number)]
        client.close()
        self.sent += number
        assert eventually(lambda: self.written() == self.sent)
        return found.count(b"blue")

    def ask(self, client: http.client.HTTPConnection, number: int) -> bytes:
        client.request("GET", "/", headers={"X-Client": f"client-{number}"})
        with client.getresponse() as answer:
            assert answer.status == 200
            return answer.read()

    def written(self) -> int:
        return sum(path.read_bytes().count(b"\n") for path in self.folder.glob("tries.log*"))

    def reopen(self) -> None:
        """What logrotate tells nginx."""
        assert signals.send(self.master, signal.SIGUSR1)
        assert eventually(self.tries.exists)

    def view(self) -> Any:
        result = self.run("canary", "app_backend", "--json")
        assert result.code == 0, result.err
        return result.json


@pytest.fixture
def watched(tmp_path: Path, nginx_binary: str) -> Iterator[Watched]:
    """An empty bench."""
    made = Watched(tmp_path)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def ill(watched: Watched) -> Watched:
    """Green answers 500, and clients get blue's answer."""
    watched.serve("return 500;")
    watched.adopt("--log", str(watched.tries))
    return watched


def failed(view: Any) -> tuple[int, int]:
    return view["slots"]["blue"]["failed"], view["slots"]["green"]["failed"]


def test_a_canary_that_fails_is_seen_although_clients_get_good_answers(ill: Watched) -> None:
    assert ill.canary("20%") == ""
    assert ill.send() == CLIENTS, "clients only ever see blue"
    seen = ill.view()
    green, blue = seen["slots"]["green"], seen["slots"]["blue"]
    assert (seen["pool"], seen["rising"], seen["lost"], seen["broken"], seen["elsewhere"]) == (
        "app_backend",
        "green",
        0,
        0,
        0,
    )
    assert (blue["share"], green["share"]) == (80, 20)
    assert 10 <= green["tries"] <= 90  # 40 expected; chance leaves this range less than once in a million
    assert (green["failed"], green["5xx"]) == (green["tries"], green["tries"])
    assert (blue["tries"], blue["failed"]) == (CLIENTS, 0)
    assert (seen["clients"]["requests"], seen["clients"]["failed"]) == (CLIENTS, 0)
    assert all(isinstance(side[name], float) for side in (green, blue) for name in ("p50", "p95", "p99"))


def test_a_canary_that_works(watched: Watched) -> None:
    watched.serve()
    watched.adopt("--log", str(watched.tries))
    watched.canary("20%")
    blue = watched.send()
    seen = watched.view()
    assert [seen["slots"][slot]["tries"] for slot in ("blue", "green")] == [blue, CLIENTS - blue]
    assert failed(seen) == (0, 0)


def test_counts_begin_anew_with_each_change_of_the_share(ill: Watched) -> None:
    ill.send(50)
    before = ill.view()
    assert (before["since"], before["rising"], before["clients"]["requests"]) == (None, "", 50)
    for command in (("canary", "app_backend", "10%"), ("switch", "app_backend", "blue"), ("canary", "app_backend", "20%")):
        assert ill.run(*command).code == 0
        seen = ill.view()
        assert (seen["clients"]["requests"], seen["since"] > (before["since"] or 0)) == (0, True)
        ill.send(50)
        before = ill.view()
        assert before["clients"]["requests"] == 50
    address = ill.addresses[1]
    assert ill.run("weight", "app_backend", f"{ill.addresses[0]}=1", f"{address}=1").code == 0
    assert ill.view()["clients"]["requests"] == 0


@pytest.mark.parametrize("how", ["rename", "truncate"])
def test_the_log_is_rotated_in_between(ill: Watched, how: str) -> None:
    ill.send(20)
    ill.canary("20%")
    ill.send()
    if how == "rename":
        ill.tries.rename(ill.folder / "tries.log.1")
        ill.reopen()
    else:
        shutil.copy(ill.tries, ill.folder / "tries.log.1")
        os.truncate(ill.tries, 0)
    ill.send()
    seen = ill.view()
    assert (seen["clients"]["requests"], seen["lost"]) == (2 * CLIENTS, 0)
    assert failed(seen) == (0, seen["slots"]["green"]["tries"])


def test_what_was_rotated_away_is_told(ill: Watched) -> None:
    ill.send(20)
    ill.canary("20%")
    ill.send()
    ill.tries.unlink()
    ill.reopen()
    ill.sent = 0
    ill.send(20)
    result = ill.run("canary", "app_backend", "--json")
    assert (result.code, result.json["lost"], result.json["clients"]["requests"]) == (0, 1, 20)
    assert "warning: " in result.err
    assert "delaycompress" in result.err


def test_piped_it_is_tab_separated(ill: Watched) -> None:
    ill.canary("20%")
    ill.send()
    result = ill.run("canary", "app_backend")
    header, blue, green = (line.split("\t") for line in result.out.splitlines())
    assert header == COLUMNS
    assert (blue[:4], green[:2]) == (["blue", "80 %", str(CLIENTS), "0"], ["green", "20 %"])
    assert green[2] == green[3] == green[4] != "0"
    assert re.fullmatch(r"\d+ ms", green[7])
    assert re.fullmatch(
        rf"since the last change of the share, [\d.]+ s ago: {CLIENTS} requests of clients, 0 of them failed\n", result.err
    )
    assert ill.run("canary", "app_backend", "-q").err == ""


def test_on_a_terminal_it_is_a_table(ill: Watched) -> None:
    ill.canary("20%")
    master, slave = pty.openpty()
    child = subprocess.Popen(
        ill.argv("canary", "app_backend", "-q"),
        env=ill.environment({"COLUMNS": "80", "TERM": "dumb"}),
        cwd=ill.folder,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    assert child.wait(60) == 0
    said = os.read(master, 65536).decode()
    os.close(master)
    header, blue, green = said.splitlines()
    assert header.split() == " ".join(COLUMNS).split()
    assert blue.split() == ["blue", "80", "%", "0", "0", "0", "0", "0", "-", "-", "-"]
    assert "\t" not in green


def test_without_a_log_it_cannot_be_seen(watched: Watched) -> None:
    watched.serve("return 500;")
    watched.adopt()
    warning = watched.canary("5%")
    assert warning.count("\n") == 1
    assert warning.startswith("warning: app_backend has no log of its tries: a canary that fails will not be seen")
    assert "--log FILE" in warning
    result = watched.run("canary", "app_backend")
    assert (result.code, result.out) == (2, "")
    assert "nginx gives clients the other slot's good answer" in result.err
    assert "next: to get one: proxyswitch adopt app_backend --undo, then adopt it again with --log FILE" in result.err
    assert not (watched.state / "canary").exists()
    assert (watched.canary("0%"), watched.run("switch", "app_backend", "green").err) == ("", "")


def without_capabilities(place: Watched, *words: str) -> Run:
    """Run it as a user whom the modes of files bind, which they do not bind root."""
    bound = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    argv = [*bound, *place.argv(*words)]
    env = place.environment()
    done = subprocess.run(argv, env=env, cwd=place.folder, capture_output=True, text=True, timeout=60, check=False)
    return Run(done.returncode, done.stdout, done.stderr)


def test_a_log_that_may_not_be_read(ill: Watched) -> None:
    ill.tries.chmod(0)
    result = without_capabilities(ill, "canary", "app_backend", "10%")
    assert (result.code, ill.flag) == (0, "pct-10"), result.err
    assert f"warning: {ill.tries}: cannot read: Permission denied" in result.err
    result = without_capabilities(ill, "canary", "app_backend", "--json")
    assert (result.code, result.json["next"]) == (2, "run it as a user who may")
    assert f"{ill.tries}: cannot read: Permission denied" in result.err


def test_a_note_that_cannot_be_written_stops_no_switch(ill: Watched) -> None:
    (ill.state / "canary").write_text("in the way")
    result = ill.run("canary", "app_backend", "10%")
    assert (result.code, ill.flag) == (0, "pct-10")
    assert "warning: " in result.err
    assert "tries will not be counted from this change on" in result.err
    ill.send(20)
    assert (ill.view()["since"], ill.view()["clients"]["requests"]) == (None, 20)


@pytest.mark.parametrize("text", ["", "[", '[{"target": 5}]', "{}"])
def test_a_note_that_is_broken_is_none(ill: Watched, text: str) -> None:
    ill.canary("10%")
    (note,) = (ill.state / "canary").iterdir()
    note.write_text(text)
    assert ill.view()["since"] is None
    ill.canary("20%")
    assert ill.view()["since"]


def test_a_share_that_was_taken_back_or_set_by_hand(ill: Watched) -> None:
    ill.canary("20%")
    first = ill.view()["since"]
    ill.send(50)
    ill.canary("30%")
    nginx_flags.set_link(str(ill.flags), "green", "pct-20")  # as a run does that takes its change back
    result = ill.run("canary", "app_backend", "--json")
    assert (result.json["since"], result.json["clients"]["requests"], result.err) == (first, 50, "")
    nginx_flags.set_link(str(ill.flags), "green", "pct-40")
    result = ill.run("canary", "app_backend", "--json")
    assert result.json["since"] > first
    assert "warning: the share was changed since without a note of it" in result.err


def test_a_log_that_is_not_there_yet(ill: Watched) -> None:
    ill.tries.unlink()
    result = ill.run("canary", "app_backend", "--json")
    assert (result.code, result.json["clients"]["requests"]) == (0, 0)
    assert f"warning: {ill.tries} is not there" in result.err


def test_a_relative_log_and_a_location_without_one(ill: Watched) -> None:
    """By the prefix that nginx was started with, which is this bench's folder."""
    text = ill.conf.read_text()
    more = "        location /more { access_log off; proxy_pass http://$app_backend_slot; }\n"
    text = text.replace(f"access_log {ill.tries} ", "access_log tries.log ").replace(
        "        location / {\n", f"{more}        location / {{\n"
    )
    ill.conf.write_text(text)
    ill.checked(
        ["/usr/sbin/nginx", "-p", str(ill.folder), "-c", str(ill.conf), "-e", str(ill.folder / "error.log"), "-s", "reload"]
    )
    ill.canary("20%")
    ill.send(20)
    result = ill.run("canary", "app_backend", "--json")
    assert (result.json["clients"]["requests"], result.json["since"] > 0) == (20, True)
    line = text[: text.index("proxy_pass http://$app_backend_slot; }")].count("\n") + 1
    assert f"warning: {ill.conf}:{line}: what passes here is not in the log" in result.err


def test_what_has_no_canary(running: Bench) -> None:
    result = running.run("canary", "app_backend")
    assert (result.code, "proxyswitch adopt app_backend --log FILE" in result.err) == (2, True)
    result = running.run("canary", "app_backen", "--json")
    assert (result.code, "did you mean 'app_backend'?" in result.json["error"]) == (2, True)
    result = running.run("canary", "app_backend", "--dry-run")
    assert (result.code, "--dry-run: without a percentage nothing is changed" in result.err) == (2, True)
