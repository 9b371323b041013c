"""Releases of apps that their runner replaces itself: the plan, and what takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxyswitch import drivers, settings, settings_runners
from proxyswitch.drivers.base import Context, Moved
from proxyswitch.errors import Failed, NeedsPerson, UsageError
from proxyswitch.model import Endpoint, Health, Instance, Problem, Slot
from proxyswitch.release import checks, deploy, history, running, status, steps, strategies
from proxyswitch.release.plan import Release
from proxyswitch.release.pools import past
from proxyswitch.release.steps import Plan
from proxyswitch.release.world import World
from proxyswitch.settings import App, Settings
from tests.release.values import pool

OLD, NEW = Endpoint("127.0.0.1", 4001), Endpoint("127.0.0.1", 4002)
SWARM = settings_runners.RUNNERS["swarm"]


@dataclass
class Runner:
    """An in-place driver without a runner: what it was told, and what it says. Each test sets what goes wrong."""

    version: str = ""
    before: str = ""
    health: Health = Health.HEALTHY
    did: list[str] = field(default_factory=list)
    wrong: dict[str, Exception] = field(default_factory=dict)

    def _do(self, what: str) -> None:
        self.did.append(what)
        if what.split(maxsplit=1)[0] in self.wrong:
            raise self.wrong[what.split(maxsplit=1)[0]]

    def about(self) -> str:
        return "a runner"

    def problems(self) -> list[Problem]:
        return []

    def check(self, slot: Slot) -> None:
        self._do("check")

    def check_reload(self, slot: Slot, version: str) -> None:
        self._do(f"check_reload {version}")

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:
        self._do(f"start {version}")
        self.version = version
        return Instance(slot.name, version, None)

    def stop(self, slot: Slot) -> bool:
        self._do("stop")
        self.version = ""
        return True

    def status(self, slot: Slot) -> Instance | None:
        if not self.version:
            return None
        return Instance(slot.name, self.version, None, health=self.health, artefact=f"sha-{self.version}")

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        yield "last words"

    def obituary(self, slot: Slot) -> str:
        return "it ended with status 3"

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:
        self._do(f"reload {version} {artefact}".strip())
        self.before, self.version = self.version, version
        return Instance(slot.name, version, None)

    def revert(self, slot: Slot, moved: Moved) -> None:
        self._do("revert")
        self.version, self.before = self.before or self.version, ""

    def confirm(self, slot: Slot) -> None:
        self._do("confirm")
        self.before = ""


def app(**more: object) -> App:
    words = {"slots": {"main": "auto"}, "driver": "swarm", "watch": settings.Seconds(0), **more}
    return App(**words)  # type: ignore[arg-type]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    one = Runner("1")
    monkeypatch.setattr(drivers, "in_place", lambda _context: one)
    return one


def world(of: App | None = None) -> World:
    return World(Settings(apps={"web": of or app()}))


def kinds(of: Plan) -> list[str]:
    return [type(step).__name__ for step in of.steps]


def planned(of: App, *, version: str = "2", running: str = "1", with_pool: bool = False) -> Plan:
    instances = {"main": Instance("main", running, None) if running else None}
    return strategies.of(Release("web", of, pool() if with_pool else None, instances, version))


# the plan


def test_the_old_version_is_ended_only_after_the_watch() -> None:
    found = planned(app(watch=settings.Seconds(3)))
    assert kinds(found) == ["ReloadInstance", "WaitHealthy", "Watch", "ConfirmInstance"]
    assert found.commit == 3


def test_the_first_release_is_a_start() -> None:
    assert kinds(planned(app(), running="")) == ["StartInstance", "WaitHealthy", "ConfirmInstance"]


def test_a_pool_follows_addresses_that_the_runner_gives_out() -> None:
    found = planned(app(pool="app_backend", driver="compose"), with_pool=True)
    assert kinds(found) == ["ReloadInstance", "WaitHealthy", "Follow", "Drain", "ConfirmInstance"]
    assert found.steps[0] == steps.ReloadInstance("web", "main", "2")


def test_a_pool_follows_meanwhile_where_the_runner_ends_the_old_instances() -> None:
    found = planned(app(pool="app_backend"), with_pool=True)
    assert kinds(found) == ["ReloadInstance", "WaitHealthy", "ConfirmInstance"]
    assert found.steps[0] == steps.ReloadInstance("web", "main", "2", pool="app_backend")
    first = planned(app(pool="app_backend"), with_pool=True, running="")
    assert kinds(first) == ["StartInstance", "WaitHealthy", "Follow", "Drain", "ConfirmInstance"]


def test_a_pool_with_a_fixed_address_is_left_alone() -> None:
    found = planned(app(pool="app_backend", slots={"main": "127.0.0.1:8000"}), with_pool=True)
    assert kinds(found) == ["ReloadInstance", "WaitHealthy", "ConfirmInstance"]


def test_every_hook_has_its_place() -> None:
    hooks = settings.Hooks(prepare="true", before_switch="true", after_switch="true", after_release="true")
    found = planned(app(hooks=hooks))
    said = [step.hook if isinstance(step, steps.RunHook) else type(step).__name__ for step in found.steps]
    begun = ["prepare", "before_switch", "ReloadInstance", "WaitHealthy", "after_switch"]
    assert said == [*begun, "ConfirmInstance", "after_release"]


# what it does


def test_a_release_without_a_proxy(runner: Runner) -> None:
    entry = deploy.deploy(world(), deploy.Request("web", "2"))
    assert runner.did == ["check_reload 2", "check_reload 2", "reload 2", "confirm"]
    assert (entry.result, entry.mode, entry.pool, entry.conf) == ("done", "in-place", "", "")
    assert (entry.old_version, entry.old_artefact, entry.artefact) == ("1", "sha-1", "sha-2")
    assert (entry.slot, entry.old_slot) == ("main", "main")


def test_the_same_version_again_is_nothing_to_do(runner: Runner) -> None:
    assert deploy.deploy(world(), deploy.Request("web", "1")).result == "unchanged"
    assert runner.did == []


def test_a_rollback_asks_for_exactly_what_ran_before(runner: Runner) -> None:
    deploy.deploy(world(), deploy.Request("web", "2"))
    runner.did.clear()
    deploy.rollback(world(), "web")
    assert "reload 1 sha-1" in runner.did
    assert runner.version == "1"


@pytest.mark.parametrize("step", ["reload", "unhealthy"])
def test_what_fails_before_the_end_is_reverted(runner: Runner, step: str) -> None:
    if step == "reload":
        runner.wrong["reload"] = Failed("it does not come up")
    else:
        runner.health = Health.UNHEALTHY
    of = app(health=settings.Health(url="tcp://127.0.0.1:1", total=settings.Seconds(0.05)))
    with pytest.raises(Failed) as caught:
        deploy.deploy(world(of), deploy.Request("web", "2"))
    assert caught.value.exit_code == 3
    assert caught.value.state == "everything is as before: web 1 serves from slot main"
    assert runner.did[-1] == "revert"
    assert runner.version == "1"
    assert [e.result for e in past().entries()] == ["failed"]
    assert not running.journal_of("web").records()


def test_a_revert_that_fails_is_for_a_person_and_recover_tries_again(runner: Runner) -> None:
    runner.wrong = {"reload": Failed("no"), "revert": NeedsPerson("both masters are gone", state="nothing serves")}
    with pytest.raises(NeedsPerson, match="it could not all be taken back") as caught:
        deploy.deploy(world(), deploy.Request("web", "2"))
    assert "both masters are gone (nothing serves)" in caught.value.state
    del runner.wrong["revert"]
    assert running.recover(world(), "web") == "took back an interrupted release of web 2"
    assert not running.journal_of("web").records()


def killed_after(runner: Runner, step: str) -> None:
    """As after a kill -9 in that step: the journal knows that it began, and nothing was undone."""

    class Killed(BaseException):
        pass

    runner.wrong[step] = Killed()  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("proxyswitch.release.engine.Engine._stopped", lambda *_: None)
        patch.setattr("proxyswitch.release.running._Run._failed", lambda *_: None)
        with pytest.raises(Killed):
            deploy.deploy(world(), deploy.Request("web", "2"))
    del runner.wrong[step]
    runner.did.clear()


def test_a_run_that_was_killed_in_the_reload_is_taken_back_by_the_next(runner: Runner) -> None:
    killed_after(runner, "reload")
    deploy.deploy(world(), deploy.Request("web", "3"))
    assert runner.did == ["revert", "check_reload 3", "check_reload 3", "reload 3", "confirm"]


def test_a_run_that_was_killed_after_the_watch_is_finished_by_the_next(runner: Runner) -> None:
    killed_after(runner, "confirm")
    assert running.recover(world(), "web") == "finished an interrupted release of web 2"
    assert runner.did == ["confirm"]
    assert past().entries()[-1].kind == history.RELEASE


def test_a_runner_that_refuses_is_asked_before_anything_is_done(runner: Runner) -> None:
    runner.wrong["check_reload"] = UsageError("not without a gap")
    with pytest.raises(UsageError):
        deploy.deploy(world(), deploy.Request("web", "2"))
    assert runner.did == ["check_reload 2"]
    assert past().entries() == []


def test_a_failed_start_is_stopped_again(runner: Runner) -> None:
    runner.version = ""
    runner.health = Health.STARTING
    of = app(health=settings.Health(url="tcp://127.0.0.1:1", total=settings.Seconds(0.05)))
    with pytest.raises(Failed, match="was not healthy within"):
        deploy.deploy(world(of), deploy.Request("web", "1"))
    assert runner.did == ["check", "check", "start 1", "stop"]


# what the runner says counts


def test_an_instance_that_nothing_can_be_said_of_is_not_healthy(runner: Runner) -> None:
    runner.health = Health.UNKNOWN
    with pytest.raises(Failed, match="nothing tells whether web 1 is healthy"):
        checks.wait_healthy(world(), steps.WaitHealthy("web", "main", "1", total=0.05))


def test_the_watch_believes_the_runner(runner: Runner) -> None:
    runner.health = Health.UNHEALTHY
    with pytest.raises(Failed, match="swarm says: unhealthy; it ended with status 3"):
        checks.watch(world(), steps.Watch("web", "main", "1", 0.05), 0.05, lambda: None)


def test_the_status_of_an_app_without_a_pool(runner: Runner) -> None:
    (slot,) = status.look(world(), "web")["slots"]
    assert (slot["live"], slot["version"], slot["healthy"], slot["artefact"]) == (True, "1", True, "sha-1")
    runner.version = ""
    (slot,) = status.look(world(), "web")["slots"]
    assert (slot["live"], slot["running"], slot["healthy"], slot["reason"]) == (True, False, False, "it does not run")


def test_which_driver_an_app_has(runner: Runner, tmp_path: Path) -> None:
    assert drivers.make(Context("web", app(), tmp_path)) is runner
    assert SWARM is settings_runners.Swarm
    assert not app(driver="process", slots={"blue": "127.0.0.1:1"}).in_place
    assert app(driver="pm2", slots={"main": "127.0.0.1:1"}).in_place
    assert not app(driver="pm2", slots={"blue": "127.0.0.1:1", "green": "127.0.0.1:2"}).in_place
