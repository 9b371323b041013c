"""Where the examples of the documentation run: a private nginx or HAProxy, under the names that the pages use.

`haproxy` and `haproxy_app` have an HAProxy, the others an nginx, on port 8080. All have the pool app_backend with
127.0.0.1:3001 in it; in HAProxy that is the server blue, and green is there too, disabled. In `instant` and `instant_app`
the pool was moved to instant mode, with port 3002 as green. In those with `app` the app web was started in slot blue as
version 1, and green is empty; in the others version 1 answers on port 3001 and version 2 on port 3002.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from proxyswitch.polling import until
from proxyswitch.system import proc, signals
from tests.e2e.haproxy_support import MARK, HaproxyBench, haproxy_bench
from tests.e2e.support import APP, LIMIT, Bench, bench
from tests.ports import free_port

SETTINGS = """\
[{proxy}]
conf = {conf}

[apps.web]
pool = "app_backend"
proxy = "{proxy}"
slots = {{ blue = "127.0.0.1:{blue}", green = "127.0.0.1:{green}" }}
watch = "100ms"

[apps.web.process]
command = [{python}, {app}]

[apps.web.health]
url = "http://{{address}}/health"
json = {{ status = "healthy", version = "{{version}}" }}
interval = "50ms"
"""

HAPROXY_POOL = """\

backend app_backend
    server blue  127.0.0.1:{blue} check            # the old one
    server green 127.0.0.1:{green} check disabled
"""

# what systemd does on a machine of the reader's, here to the HAProxy of the stage
CONTROL = """\
import sys
from pathlib import Path
from tests.e2e.haproxy_support import HaproxyBench
place = HaproxyBench(Path({folder!r}), port={port})
place.command_line = {command_line!r}
place.chief = place.in_pidfile()
{{"reload": place.reload, "stop": place.end, "restart": place.restart}}[sys.argv[1]]()
"""

SOCAT = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.settimeout(10)
    sock.connect(sys.argv[2])
    sock.sendall(sys.stdin.buffer.read())
    sock.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: sock.recv(65536), b"")).decode(), end="")
"""

CURL = """\
import http.client, sys, urllib.parse
url, words = urllib.parse.urlsplit(sys.argv[-1]), sys.argv[1:-1]
source = words[words.index("--interface") + 1] if "--interface" in words else "127.0.0.1"
client = http.client.HTTPConnection(url.hostname, url.port, timeout=10, source_address=(source, 0))
client.request("GET", url.path)
answer = client.getresponse()
head = f"HTTP/1.1 {answer.status} {answer.reason}\\n{answer.headers}" if "-si" in words else ""
print(head + answer.read().decode(), end="")
"""


class Stage:
    """Where an example runs."""

    def __init__(self, place: Bench, kind: str) -> None:
        self.place, self.kind = place, kind
        self.proxy = "haproxy" if isinstance(place, HaproxyBench) else "nginx"
        self.app = kind.endswith("app")
        self.blue = free_port() if self.app else place.instance("1")
        self.green = free_port() if self.app else place.instance("2")
        self.config = place.folder / "proxyswitch.toml"
        self._write()
        alone = 'case "$*" in *--haproxy-socket*) cd /;; esac'  # where no settings name a config
        self._program("proxyswitch", f'{alone}\nexec {shlex.quote(sys.executable)} -m proxyswitch "$@"')
        self._program("git", "echo 3f2a9c1")
        self._program("stop-the-app", f'case "$1" in {"".join(self._stops())} esac')
        self._script("curl", CURL)
        place.start()
        if isinstance(place, HaproxyBench):
            self._haproxy_programs(place)
        if self.app:
            assert self.sh("proxyswitch start web:blue --version 1 -q") == [("", 0)]
        if kind.startswith("instant"):
            log = f"{place.folder}/log/app_backend.log"
            Path(log).parent.mkdir()
            words = f"--blue 127.0.0.1:{self.blue} --green 127.0.0.1:{self.green} --log {log}"
            assert self.sh(f"proxyswitch adopt app_backend {words} --yes -q") == [("", 0)]

    def _write(self) -> None:
        if isinstance(self.place, HaproxyBench):
            self.place.write(self.blue, pools=HAPROXY_POOL, green=self.green)
        else:
            self.place.write(self.blue)
        conf, python, app = (json.dumps(str(p)) for p in (self.place.conf, sys.executable, APP))
        words = {"proxy": self.proxy, "conf": conf, "python": python, "app": app}
        text = SETTINGS.format(blue=self.blue, green=self.green, **words)
        self.config.write_text(text if self.app else text.partition("[apps.web]")[0])

    def _haproxy_programs(self, place: HaproxyBench) -> None:
        words = {"folder": str(place.folder), "port": place.port, "command_line": place.command_line}
        self._script("systemctl", CONTROL.format(**words))
        self._script("socat", SOCAT)

    def _stops(self) -> Iterator[str]:
        """What ends the instance at a port."""
        for port, child in zip((self.blue, self.green), self.place.started, strict=False):
            yield f"*:{port}) kill -9 {child.pid} ;; "

    def _script(self, name: str, text: str) -> None:
        script = self.place.folder / "bin" / f"{name}.py"
        script.write_text(text)
        self._program(name, f'exec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"')

    def _program(self, name: str, text: str) -> None:
        path = self.place.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def _names(self) -> list[tuple[str, str]]:
        """What the documentation says, and what it is here."""
        folder, place = str(self.place.folder), self.place
        folders = [("/var/lib/proxyswitch", str(place.state)), ("/srv/web/proxyswitch.toml", str(self.config))]
        ports = [("3001", str(self.blue)), ("3002", str(self.green))]
        if isinstance(place, HaproxyBench):
            files = [("/etc/haproxy/haproxy.cfg", str(place.conf)), ("/run/haproxy/admin.sock", str(place.admin))]
        else:
            files = [("/etc/nginx/conf.d/app.conf", str(place.pools)), ("/etc/nginx/nginx.conf", str(place.conf))]
        logs = [("/var/log/nginx", f"{folder}/log"), ("127.0.0.1:8080", f"127.0.0.1:{place.port}")]
        return [*files, *folders, *logs, ("/srv/web", folder), *ports]

    def real(self, text: str) -> str:
        """A command of the documentation as it must be here."""
        for name, here in self._names():
            text = text.replace(name, here)
        return text

    def documented(self, text: str) -> str:
        """What was printed here, as the documentation has it."""
        for name, here in self._names():
            text = text.replace(here, name)
        return text

    def sh(self, *commands: str) -> list[tuple[str, int]]:
        """What each command printed, and its status; all in one shell."""
        mark = "---- end of a command: "
        script = "".join(f"{c}\ns=$?; echo '{mark}'$s; (exit $s)\n" for c in commands)
        words = {"PATH": f"{self.place.folder}/bin:/usr/sbin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
        if isinstance(self.place, HaproxyBench):
            words[MARK] = str(self.place.folder)  # an HAProxy that is started anew is found again by it
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            env=self.place.environment(words),
            cwd=self.place.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        *parts, rest = re.split(rf"{mark}(\d+)\n", done.stdout)
        assert not rest, rest
        return [(out.strip(), int(code)) for out, code in zip(parts[::2], parts[1::2], strict=True)]

    def clear(self) -> None:
        """End what the examples started: all of it has our state folder in its environment."""

        def left() -> list[Any]:
            return list(proc.with_environment("PROXYSWITCH_STATE", str(self.place.state)))

        for process in left():
            signals.send(process, signals.KILL)
        until(lambda: None if left() else True, LIMIT)


@contextmanager
def staged(folder: Path, kind: str) -> Iterator[Stage]:
    make = haproxy_bench if kind.startswith("haproxy") else bench
    with ExitStack() as scope:
        stage = Stage(scope.enter_context(make(folder)), kind)
        scope.callback(stage.clear)
        yield stage
