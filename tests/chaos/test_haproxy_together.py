"""Several runs on one HAProxy: at once, and after one that was killed and had found it in another way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.haproxy_places import POOL, HaPlace, Kind, haproxy_place, other, settled
from tests.chaos.support import KILLED, history, strike, survey
from tests.chaos.test_deploy import Asking

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy
TIMES = 3


def by_socket(made: HaPlace, *words: str) -> tuple[str, ...]:
    return (*words, "--haproxy-socket", str(made.admin))


@pytest.mark.parametrize("wait", ["10s", "0s"])
def test_two_switches_at_once(tmp_path: Path, haproxy_binary: str, wait: str) -> None:
    with haproxy_place(tmp_path / "0", Kind(state_file=True)) as made, Asking(made) as client:
        for _ in range(TIMES):
            before, was = len(history(made)), made.only()
            words = [(*made.switch(name), "--lock-timeout", wait) for name in (other(was), was)]
            runs = [made.spawn(*one) for one in words]
            said = [run.communicate(timeout=60) for run in runs]
            codes = [run.returncode for run in runs]
            assert set(codes) <= {0, 75}, said
            assert 0 in codes, said
            if wait != "0s":
                assert codes == [0, 0], said
            assert settled(made) in (was, other(was))
            assert len(history(made)) - before <= codes.count(0)
        assert not client.problems, client.problems[0]


def test_a_run_by_the_socket_and_one_by_the_config_at_once(tmp_path: Path, haproxy_binary: str) -> None:
    with haproxy_place(tmp_path / "0", Kind(state_file=True)) as made, Asking(made) as client:
        for _ in range(TIMES):
            target = other(made.only())
            words = [made.switch(target), by_socket(made, *made.switch(target))]
            runs = [made.spawn(*one) for one in words]
            said = [run.communicate(timeout=60) for run in runs]
            assert [run.returncode for run in runs] == [0, 0], said
            assert settled(made) == target
        assert not client.problems, client.problems[0]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[bool, int]:
    """The number of the second command to HAProxy, of a run by the socket alone and of one by the config."""
    found = {}
    with haproxy_place(tmp_path_factory.mktemp("survey") / "0", Kind()) as made:
        for config in (False, True):
            made.fresh()
            words = made.switch(other(made.only()))
            points = survey(made, *(words if config else by_socket(made, *words)))
            found[config] = [p.number for p in points if p.kind.startswith("send ")][1]
            made.run(*made.switch("app-blue"))
    return found


@pytest.mark.parametrize("then", ["switch", "reconcile", "rollback"])
def test_after_a_killed_run_by_the_socket_comes_one_by_the_config(told: dict[bool, int], tmp_path: Path, then: str) -> None:
    with haproxy_place(tmp_path / "0", Kind()) as made:
        if then == "rollback":
            for name in ("app-green", "app-blue"):
                assert made.run(*made.switch(name)).code == 0
        made.fresh() if then != "rollback" else None
        assert strike(made, told[False], "before", *by_socket(made, *made.switch("app-green"))).code == KILLED
        assert sorted(made.live()) == ["app-blue", "app-green"]
        words = {
            "switch": made.switch("app-green"),
            "reconcile": ("reconcile", POOL, "--by", "runtime"),
            "rollback": ("rollback", POOL),
        }[then]
        result = made.run(*words)
        assert result.code == 0, result
        assert made.run("recover").code == 0
        assert settled(made) == ("app-blue" if then == "reconcile" else "app-green")


def test_after_a_killed_run_by_the_config_comes_one_by_the_socket(told: dict[bool, int], tmp_path: Path) -> None:
    with haproxy_place(tmp_path / "0", Kind()) as made:
        made.fresh()
        assert strike(made, told[True], "before", *made.switch("app-green")).code == KILLED
        result = made.run(*by_socket(made, *made.switch("app-green")))
        assert result.code == 0, result
        assert "took back an interrupted change" in result.err
        assert made.conf.read_bytes() == made.texts["app-blue"]
        assert made.run("recover").code == 0
        assert made.live() == ["app-green"]
        assert made.run("reconcile", POOL, "--by", "runtime").code == 0
        assert settled(made) == "app-green"
