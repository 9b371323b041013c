"""What the generated health endpoints run with: an app in each framework, and a real PostgreSQL, Redis and web server.

A dependency is frozen by SIGSTOP: the kernel still takes connections for it, and nobody ever answers.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from proxyswitch.model import Endpoint
from proxyswitch.polling import until
from proxyswitch.system import net
from tests.conftest import missing
from tests.ports import free_port
from tests.runners.store import STORE

FRAMEWORKS = STORE / "frameworks"
ROOT = FRAMEWORKS / "root"
PYTHON = FRAMEWORKS / "bin/python"
GO = ROOT / "usr/lib/go-1.19/bin"
LIMIT = 60.0
MAIN = {
    "flask": "import os, flask, health\n"
    "app = flask.Flask('app')\n"
    "app.register_blueprint(health.blueprint)\n"
    "app.run('127.0.0.1', int(os.environ['PORT']))\n",
    "fastapi": "import os, fastapi, health, uvicorn\n"
    "app = fastapi.FastAPI()\n"
    "app.include_router(health.router)\n"
    "uvicorn.run(app, host='127.0.0.1', port=int(os.environ['PORT']), log_level='warning')\n",
    "django": "import os\n"
    "from urllib.parse import urlsplit\n"
    "from django.conf import settings\n"
    "from django.core.servers.basehttp import run\n"
    "from django.core.wsgi import get_wsgi_application\n"
    "url = urlsplit(os.environ['DATABASE_URL'])\n"
    "database = {'ENGINE': 'django.db.backends.postgresql', 'HOST': url.hostname, 'PORT': url.port, 'NAME': url.path[1:],\n"
    "            'USER': url.username, 'PASSWORD': url.password}\n"
    "settings.configure(ROOT_URLCONF='health', DATABASES={'default': database}, ALLOWED_HOSTS=['127.0.0.1'])\n"
    "run('127.0.0.1', int(os.environ['PORT']), get_wsgi_application(), threading=True)\n",
    "express": "const app = require('express')();\n"
    "app.use(require('./health'));\n"
    "app.listen(Number(process.env.PORT), '127.0.0.1');\n",
    "go": 'package main\n\nimport (\n\t"health"\n\t"net/http"\n\t"os"\n)\n\n'
    "func main() {\n\thealth.Register(http.DefaultServeMux)\n"
    '\tpanic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))\n}\n',
}


def needed() -> None:
    if not (FRAMEWORKS / "done").exists():
        missing("what the health endpoints run with", "scripts/setup test")


@contextmanager
def running(argv: list[str], port: int, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[int]:
    """A server that listens on that port; its pid."""
    quiet = subprocess.DEVNULL
    with (cwd or Path("/dev")).joinpath("server.log" if cwd else "null").open("ab") as log:
        child = subprocess.Popen(argv, env={**os.environ, **(env or {})}, cwd=cwd, stdout=quiet, stderr=log)
    try:
        until(lambda: child.poll() is not None or net.is_listening(Endpoint("127.0.0.1", port)) or None, LIMIT)
        assert child.poll() is None, (argv, (cwd / "server.log").read_text() if cwd else "")
        yield child.pid
    finally:
        for number in (signal.SIGCONT, signal.SIGTERM):
            child.send_signal(number)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@dataclass(frozen=True)
class Dependencies:
    """What the app depends on: the process of each, and the environment that leads to them."""

    pids: Mapping[str, int]
    env: Mapping[str, str]

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        for name in names:
            os.kill(self.pids[name], signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                os.kill(self.pids[name], signal.SIGCONT)


@contextmanager
def dependencies() -> Iterator[Dependencies]:
    needed()
    ports = {name: free_port() for name in ("database", "redis", "http")}
    env = {
        "DATABASE_URL": f"postgres://app:hunter2@127.0.0.1:{ports['database']}/postgres?sslmode=disable",
        "REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0",
        "UPSTREAM_URL": f"http://127.0.0.1:{ports['http']}/",
    }
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="proxyswitch-test-")))
        (folder / "web").mkdir()
        web = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder / "web")]
        pids = {
            "database": held.enter_context(_postgres(folder, ports["database"])),
            "redis": held.enter_context(_redis(ports["redis"])),
            "http": held.enter_context(running([*web, str(ports["http"])], ports["http"])),
        }
        yield Dependencies(pids, env)


def _libraries(root: Path) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))}


@contextmanager
def _redis(port: int) -> Iterator[int]:
    argv = [str(ROOT / "usr/bin/redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running(argv, port, _libraries(ROOT)) as pid:
        yield pid


@contextmanager
def _postgres(folder: Path, port: int) -> Iterator[int]:
    """It refuses to run as root; another user may not be able to reach what is installed, so it gets a copy."""
    shutil.copytree(ROOT / "usr/lib", folder / "usr/lib", ignore=shutil.ignore_patterns("go-*", "systemd"), symlinks=True)
    shutil.copytree(ROOT / "usr/share/postgresql", folder / "usr/share/postgresql")
    folder.chmod(0o755)
    (folder / "data").mkdir(0o700)
    user: list[str] = []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder / "data", nobody.pw_uid, nobody.pw_gid)
        user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    programs, data = folder / "usr/lib/postgresql/15/bin", str(folder / "data")
    env = _libraries(folder)
    make = [*user, str(programs / "initdb"), "-D", data, "-U", "app", "-A", "trust", "-N", "--locale=C", "-E", "UTF8"]
    subprocess.run(make, env={**os.environ, **env}, cwd="/", check=True, capture_output=True, timeout=LIMIT)
    argv = [*user, str(programs / "postgres"), "-D", data, "-p", str(port), "-k", "", "-c", "listen_addresses=127.0.0.1"]
    with running([*argv, "-c", "fsync=off", "-c", "shared_buffers=1MB", "-c", "autovacuum=off"], port, env) as pid:
        yield pid


def command(framework: str, folder: Path) -> list[str]:
    """How the app is started that has this folder's health endpoint; a Go one is compiled."""
    if framework == "go":
        return [_compiled(folder)]
    main = folder / ("app.js" if framework == "express" else "app.py")
    main.write_text(MAIN[framework])
    return ["node", str(main)] if framework == "express" else [str(PYTHON), str(main)]


def environment(framework: str) -> dict[str, str]:
    if framework == "express":
        return {"NODE_PATH": str(FRAMEWORKS / "node_modules")}
    return {"PYTHONDONTWRITEBYTECODE": "1"} if framework != "go" else {}


def _compiled(folder: Path) -> str:
    for name, text in (("health/health.go", (folder / "health.go").read_text()), ("app/main.go", MAIN["go"])):
        (folder / "src" / name).parent.mkdir(parents=True)
        (folder / "src" / name).write_text(text)
    env = {
        **os.environ,
        "GOROOT": str(GO.parent),
        "GO111MODULE": "off",
        "GOPATH": f"{folder}:{ROOT / 'usr/share/gocode'}",
        "GOCACHE": str(FRAMEWORKS / "go-cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    argv = [str(GO / "go"), "build", "-o", str(folder / "app"), "app"]
    vet = [str(GO / "go"), "vet", "health"]
    for words in (argv, vet):
        done = subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stderr
    return str(folder / "app")
