"""An nginx in a container, with its config in a folder of the machine; the rest is as on a `Bench`.

It uses the machine's own network, as many do, so that apps of the machine can be behind it; or, in a compose project, the
network that its apps are in.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.polling import until
from proxyswitch.proxies import nginx_master
from proxyswitch.system import net, proc
from tests.e2e.shop import toml
from tests.e2e.support import CONF, LIMIT, POOLS, Bench
from tests.runners.docker import Docker

STDERR = "ln -sf /dev/stderr /var/log/nginx/error.log && exec nginx -g 'daemon off;'"  # as the official image has it
COMPOSE = """\
services:
  nginx:
    image: root:1
    command: ["nginx", "-g", "daemon off;"]
    ports: ["127.0.0.1:{port}:8080"]
    volumes: ["./conf.d:/etc/nginx/conf.d"]
    init: true
    dns_opt: ["timeout:1", "attempts:1"]
  app-blue: &app
    image: root:1
    command: ["sleep", "3600"]
    init: true
  app-green: *app
"""
SITE = """\
upstream app_backend {
    server app-blue:8000;
}
server {
    listen 8080;
    location / {
        proxy_pass http://app_backend;
        proxy_connect_timeout 100ms;
        add_header X-Server $upstream_addr always;
    }
}
"""


@dataclass
class Boxed(Bench):
    """A bench whose nginx is a container: `docker run`, its config folder mounted whole."""

    docker: Docker = field(default_factory=Docker)
    prefix: str = ""
    groups: tuple[str, ...] = ()  # of the user, beside its own

    @property
    def container(self) -> str:
        return f"{self.prefix}-nginx"

    @property
    def inside(self) -> Path:
        """What is /etc/nginx in there."""
        return self.folder / "nginx"

    @property
    def conf(self) -> Path:
        return self.inside / "nginx.conf"

    @property
    def pools(self) -> Path:
        return self.inside / "pools.conf"

    def write(self, blue: int, conf: str = CONF, pools: str = POOLS) -> None:
        text = conf.replace("pid nginx.pid;", "").replace("error_log error.log notice;", "")
        text = "\n".join(line for line in text.splitlines() if "_temp_path" not in line)
        self.inside.mkdir(exist_ok=True)
        self.conf.write_text(text.format(user="", port=self.port))
        self.pools.write_text(pools.format(blue=blue))
        self.own()

    def up(self, *volumes: str, shell: str = "", flags: tuple[str, ...] = ()) -> None:
        """Start the container, with more flags; `shell` starts nginx in another way than by itself."""
        command = ("sh", "-c", shell) if shell else ("nginx", "-g", "daemon off;")
        mounted = [word for v in volumes or (f"{self.inside}:/etc/nginx:ro",) for word in ("-v", v)]
        flags = ("-d", "--name", self.container, "--network", "host", *flags, *mounted)
        self.docker.run("run", *flags, self.docker.root(), *command)
        self.answers()

    def start(self, *arguments: str) -> None:
        self.up(flags=arguments)

    def answers(self) -> None:
        listens = until(lambda: net.is_listening(Endpoint("127.0.0.1", self.port)) or None, LIMIT)
        assert listens, self.docker.run("logs", self.container)

    def told(self, *words: str) -> str:
        """What a command prints in there."""
        return self.docker.run("exec", self.container, *words)

    def configure(self, command: object = "", **nginx: object) -> None:
        table = {"exec": command or f"docker exec {self.container}", **nginx}
        self.settings(f"nginx = {toml(table)}\n")

    @property
    def master(self) -> ProcessId:
        first = int(self.docker.run("inspect", "-f", "{{.State.Pid}}", self.container))
        found = [p for p in map(nginx_master.titled, [first, *proc.children(first)]) if p]
        assert found, "nginx does not run"
        return found[0]

    def end(self) -> None:
        """The container is removed by its name."""

    def argv(self, *words: str) -> list[str]:
        return [self.python, "-m", "proxyswitch", *words]

    def as_user(self, argv: list[str]) -> list[str]:
        groups = [word for group in self.groups for word in ("-g", self.user, "-G", group)]  # -G alone changes the first
        return ["runuser", "-u", self.user, *groups, "--", *argv] if self.user else argv

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return super().environment({**self.docker.env, **(extra or {})})


class Composed(Boxed):
    """A bench whose nginx is a service of a compose file, in one network with its apps; its main config is in its image.

    nginx says whom it asks. Whether that one is reached is up to the machine's firewall, and not our business.
    """

    @property
    def pools(self) -> Path:
        return self.folder / "conf.d/app.conf"

    def write(self, blue: int = 0, conf: str = COMPOSE, pools: str = SITE) -> None:
        self.pools.parent.mkdir(exist_ok=True)
        self.pools.write_text(pools)
        (self.folder / "compose.yml").write_text(conf.format(prefix=self.prefix, port=self.port))
        (self.folder / ".env").write_text(f"COMPOSE_PROJECT_NAME={self.prefix}\n")

    @property
    def container(self) -> str:
        return f"{self.prefix}-nginx-1"

    def compose(self, *words: str) -> str:
        return self.docker.run("compose", "--project-directory", str(self.folder), *words)

    def serving(self) -> str:
        """The service that nginx asks; empty for one that is not known."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=LIMIT) as answer:
                address = str(answer.headers["X-Server"])
        except HTTPError as error:
            address = str(error.headers["X-Server"])
        except OSError:
            return ""
        found = (s for s in ("app-blue", "app-green") if f"{self.address(s)}:8000" == address)
        return next(found, "")

    def address(self, service: str) -> str:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.docker.run("inspect", "-f", form, f"{self.prefix}-{service}-1")


@contextmanager
def boxed(docker: Docker, prefix: str, folder: Path, **more: object) -> Iterator[Boxed]:
    """A bench with the settings and no container yet; it is cleared away afterwards."""
    made = Boxed(folder, docker=docker, prefix=prefix, **more)  # type: ignore[arg-type]
    made.configure()
    try:
        yield made
    finally:
        made.stop()


def wrapper(place: Boxed, script: str) -> list[str]:
    """A command before `docker exec`, as a person may have one of their own."""
    path = place.folder / "state-wrapper"  # not a file of the config
    path.write_text(f'#!/bin/sh\n{script}\nexec "$@"\n')
    os.chmod(path, 0o755)
    return [str(path), "docker", "exec", place.container]
