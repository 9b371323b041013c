"""Docker Compose reads what was made for it. It needs no engine for that."""

from __future__ import annotations

import shutil

from proxyswitch.generate import scratch
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Options, Rejected
from proxyswitch.system import run

PROGRAMS = (("docker", "compose"), ("docker-compose",))
STACK = (("docker", "stack"), *PROGRAMS)
# the version is told at each release; here any will do
ENV = {"APP_VERSION": "1"}
LIMIT = 60.0


def compose(made: Made, options: Options) -> str:  # noqa: ARG001
    """A compose file: version 2 or 1, whichever is here."""
    for program in PROGRAMS:
        if _there(*program, "version"):
            return _config(made, (*program, "-f", "{path}", "config", "-q"))
    return "Docker Compose did not test it: it is not installed here"


def swarm(made: Made, options: Options) -> str:
    """A stack file: `docker stack config`; where Docker is too old for it, Compose, which knows the same format."""
    if _there("docker", "stack", "config", "--help"):
        return _config(made, ("docker", "stack", "config", "-c", "{path}"))
    return compose(made, options)


def _there(*command: str) -> bool:
    return bool(shutil.which(command[0])) and run.run(run.Command(command, LIMIT)).ok


def _config(made: Made, command: tuple[str, ...]) -> str:
    """Raises Rejected."""
    with scratch.folder() as folder:
        path = scratch.put(folder, made)
        result = run.run(run.Command(tuple(word.format(path=path) for word in command), LIMIT, cwd=folder, env=ENV))
        if not result.ok:
            said = (result.err.strip() or result.reason()).replace(path, made.path).splitlines()[0]
            raise Rejected(f"{made.path}: {' '.join(command[:2])} refuses it: {said}")
    return ""
