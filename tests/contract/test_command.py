from __future__ import annotations

from tests.contract.drivers import InPlaceLife, whole_life
from tests.drivers.command_world import Scripts, scripts
from tests.runners.test_runners import answer

__all__ = ["scripts"]


def test_commands_beside_each_other(scripts: Scripts) -> None:
    whole_life(scripts.driver, scripts.slot(), lambda version: f"version {version} listens")


def test_commands_in_place(scripts: Scripts) -> None:
    def version() -> str:
        found = answer(scripts.ports["blue"])
        return str(found["version"]) if found else ""

    InPlaceLife(lambda: scripts.driver("blue"), scripts.slot(), lambda _: None, version).live()
    assert not scripts.processes()
