"""Asking and telling a swarm, by Docker's client; and what to do where that is not possible."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from proxyswitch.drivers._docker import attempt
from proxyswitch.drivers.swarm import words
from proxyswitch.drivers.swarm.seen import Seen
from proxyswitch.drivers.swarm.values import Service, Task
from proxyswitch.errors import Failed, NeedsPerson, UsageError
from proxyswitch.polling import until
from proxyswitch.settings_runners import Swarm
from proxyswitch.system import proc, run, signals

LIMIT = 30.0  # for a question
UPDATE_LIMIT = 120.0  # the client asks the registry for the digest
TRIES = 3
MARK = "PROXYSWITCH_SWARM"  # in the environment of each docker command that changes something


class Unreachable(UsageError):
    """The swarm cannot be asked: there may be no leader for a moment. `patience`: how many seconds that is worth."""

    patience = 40.0  # managers agree on a leader after 10 to 20 seconds


class EngineAway(Unreachable):
    """The engine does not answer, or may not be asked."""

    patience = 10.0  # it may be started anew


class Client:
    """A swarm, as its manager tells it. By `mark` the commands are known that an earlier run of this app has left."""

    def __init__(self, settings: Swarm, mark: str) -> None:
        self.settings, self._mark = settings, mark
        self._addresses: dict[str, str] = {}

    # what is there

    def engine(self) -> dict[str, Any]:
        """The version of the engine, and its part in a swarm. Raises UsageError where it cannot be used as manager."""
        info = self._info()
        swarm: dict[str, Any] = info["Swarm"]
        if swarm["LocalNodeState"] != "active":
            raise UsageError(
                f"the Docker engine ({self.where()}) is not part of a swarm",
                next_step="make it one: docker swarm init; or join one: docker swarm join",
            )
        if not swarm["ControlAvailable"]:
            raise UsageError(
                f"the Docker engine ({self.where()}) is a worker: it may not change services",
                next_step="run it on a manager, or name one: host or context of the app, or DOCKER_HOST",
            )
        return {"version": info["ServerVersion"], "nodes": swarm["Nodes"]}

    def _info(self) -> dict[str, Any]:
        done = self._run(("info", "--format", "{{json .}}"))
        info: dict[str, Any] = json.loads(done.out) if done.out.startswith("{") else {}
        if done.ok and not info.get("ServerErrors"):
            return info
        said = "; ".join(info.get("ServerErrors") or ()) or last(done)
        raise EngineAway(f"the Docker engine ({self.where()}) does not answer: {said}", next_step=self._how(said))

    def _how(self, said: str) -> str:
        """What to do so that it answers."""
        path = self.where().removeprefix("unix://")
        if (os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK)) or "permission denied" in said:
            return "run it with sudo, or become a member of the group docker: sudo usermod -aG docker $USER"
        return "start it: sudo systemctl start docker; or see whether that is the right engine: docker context ls"

    def where(self) -> str:
        """Which engine is meant, as far as it is said."""
        named = self.settings.host or os.environ.get("DOCKER_HOST", "")
        context = self.settings.context or os.environ.get("DOCKER_CONTEXT", "")
        if self.settings.context or (context and not named):
            return f"context {context}"
        return named or "of Docker's current context"

    def service(self) -> Service | None:
        """The service; None where there is none of that name. Raises UsageError where nobody can tell."""
        done = self._run(("service", "inspect", self.settings.service))
        if done.ok:
            return Service(json.loads(done.out)[0])
        self.engine()
        if self.settings.service in self._ask(("service", "ls", "--format", "{{.Name}}")).split():
            raise Unreachable(f"docker service inspect {self.settings.service}: {last(done)}")
        return None

    def seen(self) -> Seen | None:
        """The service with its tasks; None where there is no such service."""
        service = self.service()
        if service is None:
            return None
        tasks = self._tasks(service)
        self._learn({task.node for task in tasks if task.node} if service.host_ports else set())
        return Seen(service, tasks, self._addresses, self.settings.port)

    def _tasks(self, service: Service) -> tuple[Task, ...]:
        """Its tasks; one may be forgotten by Swarm between two commands, then both are done again."""
        for _ in range(TRIES):
            ids = self._ask(("service", "ps", "--quiet", "--no-trunc", service.id)).split()
            done = self._run(("inspect", "--type", "task", *ids)) if ids else None
            if done is None:
                return ()
            if done.ok:
                return tuple(map(Task, json.loads(done.out)))
        assert done is not None  # noqa: S101  # for mypy: TRIES is above 0
        raise Unreachable(f"docker inspect of the tasks of {self.settings.service}: {last(done)}")

    def _learn(self, nodes: set[str]) -> None:
        """The addresses of nodes; they do not change while we look."""
        new = sorted(nodes - self._addresses.keys())
        for node in json.loads(self._ask(("node", "inspect", *new))) if new else ():
            self._addresses[node["ID"]] = _address(node)

    def ready_nodes(self) -> int:
        """How many nodes take tasks."""
        rows = self._ask(("node", "ls", "--format", "{{json .}}")).splitlines()
        nodes = [json.loads(row) for row in rows]
        return sum(node["Status"] == "Ready" and node["Availability"] == "Active" for node in nodes)

    # what only the engine of this machine knows; nothing where it is elsewhere

    def container(self, name: str) -> dict[str, Any]:
        return self._local("container", name)

    def image_id(self, name: str) -> str:
        return str(self._local("image", name).get("Id", ""))

    def _local(self, kind: str, name: str) -> dict[str, Any]:
        done = self._run((kind, "inspect", name)) if name else None
        found: dict[str, Any] = json.loads(done.out)[0] if done and done.ok else {}
        return found

    def logs(self, of: str, lines: int) -> list[str]:
        """The last lines of a service or a task, over all tasks in the order of their times; or why there are none."""
        done = self._run(words.logs(of, lines))
        rows = sorted(line for line in (done.out + done.err).splitlines() if line[:1].isdecimal())
        if not done.ok and not rows:
            return [f"docker service logs: {last(done)}"]
        return [row.partition(" ")[2] for row in rows][-lines:]

    # what changes it

    def tell(self, argv: words.Argv) -> None:
        """A command that changes the service. Raises Failed with Docker's words; its arguments may hold secrets."""
        done = self._run(argv, UPDATE_LIMIT, {MARK: self._mark})
        if done.ok:
            return
        self._info()
        raise Failed(f"docker {' '.join(argv[:2])} {self.settings.service}: {last(done)}")

    def end_leftovers(self) -> None:
        """Commands of a run of ours that was killed: they must not change the service behind our back."""

        def ended() -> bool | None:
            left = proc.with_environment(MARK, self._mark)
            for process in left:
                signals.send(process, signals.KILL)
            return not left or None

        if not until(ended, LIMIT):
            what = f"{self.settings.service}: a docker command of an earlier run does not end"
            raise NeedsPerson(what, next_step="look: ps aux")

    def _ask(self, argv: words.Argv) -> str:
        done = self._run(argv)
        if done.ok:
            return done.out
        self._info()
        raise Unreachable(f"docker {' '.join(argv[:2])}: {last(done)}")

    def _run(self, argv: words.Argv, limit: float = LIMIT, env: Mapping[str, str] | None = None) -> run.Result:
        return attempt(run.Command((*words.docker(self.settings), *argv), limit, env=env))


def _address(node: dict[str, Any]) -> str:
    """Where a node is reached. Some managers know only of the part that manages where they are."""
    found = str(node["Status"].get("Addr", ""))
    if found in ("", "0.0.0.0"):  # noqa: S104  # no address to listen on, but what Docker says where it does not know
        found = str((node.get("ManagerStatus") or {}).get("Addr", "")).rpartition(":")[0].strip("[]")
    return found or "127.0.0.1"


def last(done: run.Result) -> str:
    """Why a command failed: its last words, or how it ended."""
    lines = [line.strip() for line in done.err.splitlines() if line.strip()]
    return lines[-1] if lines and not done.timed_out else done.reason()
