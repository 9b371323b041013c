"""`proxyswitch demo`: a release and a rollback of a real app behind a real nginx, under load, counted."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from proxyswitch import settings
from proxyswitch.demo import load
from proxyswitch.demo.stage import Stage, build, start_nginx, stop_nginx
from proxyswitch.drivers.base import Driver
from proxyswitch.model import Slot
from proxyswitch.polling import until
from proxyswitch.proxies import nginx_master
from proxyswitch.proxies.base import Options
from proxyswitch.release import checks, deploy, instances, steps
from proxyswitch.release.world import World
from proxyswitch.system import clock, run, signals

SETTLE = 2.0  # seconds of load before, between and after the switches


@dataclass(frozen=True, slots=True)
class Result:
    """What the load saw."""

    summary: load.Summary
    baseline: bool
    folder: str

    @property
    def failures(self) -> int:
        return self.summary.failures

    def facts(self) -> dict[str, object]:
        """The same as data."""
        s = self.summary
        return {
            "baseline": self.baseline,
            "requests": s.requests,
            "failures": s.failures,
            "reused_closed": s.reused_closed,
            "by_version": dict(s.by_version),
            "by_kind": dict(s.by_kind),
            "seconds": round(s.seconds, 1),
            "folder": self.folder,
        }


def demo(*, baseline: bool, keep: bool, say: Callable[[str], None]) -> Result:
    """Build, release, roll back, count, and clean up (unless `keep`). Raises ProxyswitchError."""
    binary = nginx_master.find_binary()
    stage = build(sys.executable)
    say(f"a private nginx on 127.0.0.1:{stage.port}, two slots of a sample app, in {stage.folder}")
    with _state_in(stage):
        world = World(settings.load(stage.settings), {"nginx": Options(str(stage.conf))}, report=say)
        try:
            start_nginx(stage, binary)
            _first(world, say)
            summary = _under_load(stage, world, baseline, say)
            return Result(summary, baseline, str(stage.folder) if keep else "")
        finally:
            if keep:
                _tell_how_to_play(stage, say)
            else:
                _clean_up(stage, world)


@contextmanager
def _state_in(stage: Stage) -> Iterator[None]:
    """Nothing of the demo goes to the state folder of real releases."""
    before = os.environ.get("PROXYSWITCH_STATE")
    os.environ["PROXYSWITCH_STATE"] = str(stage.folder / "state")
    try:
        yield
    finally:
        os.environ.pop("PROXYSWITCH_STATE")
        if before is not None:
            os.environ["PROXYSWITCH_STATE"] = before


def _first(world: World, say: Callable[[str], None]) -> None:
    """Version 1 runs in the slot that the pool points to, as on any server before its first release."""
    say("version 1 starts in slot blue")
    instances.start(world, steps.StartInstance("web", "blue", "1"))
    checks.wait_healthy(world, steps.WaitHealthy("web", "blue", "1", total=15))


def _under_load(stage: Stage, world: World, baseline: bool, say: Callable[[str], None]) -> load.Summary:
    client = load.Load(stage.public)
    client.start()
    try:
        say("the load begins: kept-alive, new and idle connections, and requests that take 2 s")
        clock.sleep(SETTLE)
        act = _script if baseline else _release
        act(stage, world, "2", say)
        clock.sleep(SETTLE)
        (_script if baseline else _back)(stage, world, "1", say)
        clock.sleep(SETTLE)
    finally:
        summary = client.stop()
    return summary


def _release(_stage: Stage, world: World, version: str, say: Callable[[str], None]) -> None:
    say(f"proxyswitch deploy web --version {version}")
    deploy.deploy(world, deploy.Request("web", version))


def _back(_stage: Stage, world: World, _version: str, say: Callable[[str], None]) -> None:
    say("proxyswitch rollback web")
    deploy.rollback(world, "web")


def _script(stage: Stage, world: World, version: str, say: Callable[[str], None]) -> None:
    """The usual script: find the port in the config, start the other one, replace the port, reload, sleep, kill."""
    text = stage.conf.read_text()
    old = stage.blue if str(stage.blue.port) in text else stage.green
    new = stage.green if old == stage.blue else stage.blue
    slots = {slot.endpoint: slot for slot in world.app("web").places}
    say(f"a usual script: start {version} on {new.port}, sed {old.port} to {new.port}, reload, sleep 1, kill the old")
    instances.start(world, steps.StartInstance("web", slots[new].name, version))
    checks.wait_healthy(world, steps.WaitHealthy("web", slots[new].name, version, total=15))
    stage.conf.write_text(re.sub(str(old.port), str(new.port), text))
    reload = ("nginx", "-c", str(stage.conf), "-s", "reload")
    run.run(run.Command((nginx_master.find_binary(), *reload[1:]), timeout=20))
    clock.sleep(1.0)
    _kill(world.driver("web"), slots[old])


def _kill(driver: Driver, slot: Slot) -> None:
    instance = driver.status(slot)
    if instance and instance.process:
        signals.send(instance.process, signals.KILL)
        until(lambda: None if driver.status(slot) else True, 10)


def _tell_how_to_play(stage: Stage, say: Callable[[str], None]) -> None:
    say(f"left running. To play: cd {stage.folder}; export PROXYSWITCH_STATE=$PWD/state")
    say("then: proxyswitch status; proxyswitch deploy web --version 3; proxyswitch rollback; proxyswitch show")
    say(f"to end it: proxyswitch stop web --force; kill $(cat nginx/nginx.pid); rm -r {stage.folder}")


def _clean_up(stage: Stage, world: World) -> None:
    stop_nginx(stage)
    for slot in world.app("web").places:
        world.driver("web").stop(slot)
    shutil.rmtree(stage.folder, ignore_errors=True)
