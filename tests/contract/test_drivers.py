from __future__ import annotations

from proxyswitch.model import Endpoint, Slot
from tests.contract.drivers import whole_life
from tests.drivers.world import World


def test_process_on_a_port(world: World) -> None:
    whole_life(world.driver, world.slot(), lambda version: f"I am {version}")


def test_process_on_a_unix_socket(world: World) -> None:
    path = world.folder / "app.sock"
    slot = Slot("blue", Endpoint(path=str(path)))
    whole_life(lambda: world.driver(slots={"blue": f"unix:{path}"}), slot, lambda version: f"I am {version}")
