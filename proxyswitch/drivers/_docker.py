"""Docker's client: its commands as values, and why no engine can be talked to."""

from __future__ import annotations

import json
import os
import shutil

from proxyswitch import durations
from proxyswitch.errors import Failed, UsageError
from proxyswitch.polling import Report, silent
from proxyswitch.system import run

INSTALL = "install it: apt-get install docker.io, or see docs.docker.com/engine/install"
LAST_LINES = 10
SOCKET = "unix://"


def docker(*words: str, timeout: float = 60.0) -> run.Command:
    return run.Command(("docker", *words), timeout=timeout)


def attempt(command: run.Command, report: Report = silent, what: str = "") -> run.Result:
    """How a command ends; every ten seconds a line says `what` is waited for. Raises UsageError when it is not installed."""
    if not shutil.which(command.argv[0]):
        raise UsageError(f"there is no program {command.argv[0]} in PATH", next_step=INSTALL)
    limit = durations.show(command.timeout)
    return run.run(command, lambda waited: report(f"{what}: {durations.show(waited)} of at most {limit}"))


def done(command: run.Command, report: Report = silent, what: str = "") -> str:
    """What it printed. Raises UsageError where no engine can be talked to, else Failed with its last lines."""
    result = attempt(command, report, what)
    if result.ok:
        return result.out
    reach()
    said = "".join(f"\n  | {line}" for line in result.err.strip().splitlines()[-LAST_LINES:])
    raise Failed(f"{what or command}: {result.reason()}{said}")


def reach() -> str:
    """The engine: its version, and where it is. Raises UsageError when it may not be talked to, or does not answer."""
    result = attempt(docker("version", "--format", "{{json .Server.Version}}"))
    if result.ok:
        return f"Docker {json.loads(result.out)} at {_host()}"
    raise _unreachable(_host(), result)


def _host() -> str:
    """The address of the engine: by the environment, else by the context of the client."""
    told = os.environ.get("DOCKER_HOST", "")
    return told or attempt(docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")).out.strip()


def _unreachable(host: str, result: run.Result) -> UsageError:
    path = host.removeprefix(SOCKET)
    if host.startswith(SOCKET) and os.path.exists(path) and not os.access(path, os.W_OK):
        return UsageError(
            f"no permission to talk to the Docker engine at {host}",
            next_step="run it with sudo, or as a user of the group docker (who is as good as root): usermod -aG docker USER",
        )
    said = (result.err.strip().splitlines() or [result.reason()])[-1]
    next_step = "start it: systemctl start docker; DOCKER_HOST names another one"
    return UsageError(f"the Docker engine at {host or 'its usual place'} does not answer: {said}", next_step=next_step)


def data_root() -> str:
    """The folder of images and containers; empty where the engine, or its folder, is not on this machine. Raises UsageError,
    Failed."""
    if not (_host() or SOCKET).startswith(SOCKET):
        return ""
    folder = done(docker("info", "--format", "{{.DockerRootDir}}")).strip()
    return folder if os.path.isdir(folder) else ""
