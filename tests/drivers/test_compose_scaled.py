"""What is special about one service that runs twice for a while: its ports, what a killed run left, ways back."""

from __future__ import annotations

import pytest

from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers.base import stays
from proxyswitch.drivers.compose.project import beside
from proxyswitch.drivers.compose.scaled import Scaled, Swap
from proxyswitch.drivers.compose.service import Service
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Slot
from tests.contract.drivers import wait
from tests.drivers.compose_world import MAIN, SCALED, ComposeWorld, version
from tests.ports import free_range

pytest_plugins = ["tests.drivers.compose_fixtures"]
pytestmark = pytest.mark.root
PORTS = 'ports: ["127.0.0.1::8000"]'


def running(world: ComposeWorld) -> list[str]:
    return [c["Id"] for c in world.containers("app") if c["State"]["Running"]]


def place(driver: Scaled) -> Endpoint:
    there = driver.status(MAIN)
    assert there
    return there.endpoints[0]


def serves(driver: Scaled, wanted: str) -> None:
    """That version is the app, and answers where the driver says."""
    there = driver.status(MAIN)
    assert there
    assert there.version == wanted

    def answers() -> bool:
        try:
            return version(there.endpoints[0]) == wanted
        except OSError:
            return False

    wait(answers)


# where it listens


def test_a_range_of_ports(both: ComposeWorld) -> None:
    low = free_range(4)
    high = low + 3
    both.write(SCALED, (PORTS, f'ports: ["127.0.0.1:{low}-{high}:8000"]'))
    driver = both.scaled()
    driver.check(MAIN)
    first = driver.start(MAIN, "1").endpoints
    driver.check_reload(MAIN, "2")
    second = driver.reload(MAIN, "2", "", stays).endpoints
    assert first != second
    assert all(low <= place.port <= high for place in (*first, *second))
    serves(driver, "2")


def test_the_port_of_somebody_else_is_not_taken_for_its_own(both: ComposeWorld) -> None:
    """Where the next port for IPv4 is not that for IPv6, a container has two: the second is somebody else's."""
    both.docker.run("run", "-d", "--name", f"{both.prefix}-other", "-p", "127.0.0.1::8000", f"{both.images}:2")
    both.write(SCALED, (PORTS, 'ports: ["8000"]'))
    driver = both.scaled()
    driver.start(MAIN, "1")
    assert place(driver).host == "127.0.0.1"
    serves(driver, "1")


def test_one_of_several_ports_or_none(newer: ComposeWorld) -> None:
    newer.write(SCALED, (PORTS, 'ports: ["127.0.0.1::8000", "127.0.0.1::9000"]'))
    driver = newer.scaled(port=8000)
    driver.start(MAIN, "1")
    serves(driver, "1")
    driver.stop(MAIN)
    newer.write(SCALED, (PORTS, ""))
    with pytest.raises(UsageError, match="publishes no port"):
        newer.scaled().start(MAIN, "1")
    assert running(newer) == []
    driver.start(MAIN, "1")
    assert (place(driver).host.startswith("10."), place(driver).port) == (True, 8000)
    serves(driver, "1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('ports: ["127.0.0.1:3001:8000"]', "publishes the port 3001, which no second container can have"),
        ("network_mode: host", "cannot run twice in network_mode: host"),
        (f"{PORTS}\n    container_name: app", "cannot run twice: it has a container_name"),
    ],
)
def test_what_cannot_run_twice(newer: ComposeWorld, change: str, said: str) -> None:
    newer.write(SCALED, (PORTS, change))
    with pytest.raises(UsageError, match=said):
        newer.scaled().check(MAIN)


def test_the_settings_leave_the_address_to_docker(newer: ComposeWorld) -> None:
    newer.write(SCALED)
    with pytest.raises(UsageError, match="two containers of a service cannot share") as caught:
        newer.scaled().check(Slot("main", Endpoint("127.0.0.1", newer.blue)))
    assert 'main = "auto"' in caught.value.next_step


# what runs already, and ways back


def test_a_version_that_cannot_run_beside_the_old_one(both: ComposeWorld) -> None:
    """As where a port is fixed, which version 1 of Compose does not tell before."""
    both.write(SCALED, (PORTS, f'ports: ["127.0.0.1:{both.blue}:8000"]'))
    driver = both.scaled()
    driver.start(MAIN, "1")
    before = running(both)
    with pytest.raises(Failed, match="port is already allocated"):
        driver.reload(MAIN, "2", "", stays)
    driver.revert(MAIN, stays)
    assert (running(both), len(both.containers("app"))) == (before, 1)
    serves(driver, "1")


def test_exactly_the_image_that_ran(both: ComposeWorld) -> None:
    both.write(SCALED)
    driver = both.scaled()
    first = driver.start(MAIN, "1").artefact
    driver.reload(MAIN, "2", "", stays)
    driver.confirm(MAIN)
    again = driver.reload(MAIN, "as it was", first, stays)
    assert (again.version, again.artefact) == ("as it was", first)


def test_a_run_that_was_killed_before_it_knew_the_new_container(newer: ComposeWorld) -> None:
    newer.write(SCALED)
    driver = newer.scaled()
    old = driver.start(MAIN, "1")
    before = running(newer)
    Memory(newer.state, Swap, "swap").save("main", Swap(before[0], old.version, old.artefact))
    Service(newer.context({"main": "auto"}), MAIN).start("2", "", beside("app", 2))
    assert len(running(newer)) == 2
    serves(driver, "1")
    newer.scaled().revert(MAIN, stays)
    assert (running(newer), len(newer.containers("app"))) == (before, 1)


@pytest.mark.parametrize("end", [("kill",), ("rm", "-f")])
def test_the_old_container_has_gone_meanwhile(newer: ComposeWorld, end: tuple[str, ...]) -> None:
    newer.write(SCALED)
    driver = newer.scaled()
    first = driver.start(MAIN, "1")
    before = running(newer)
    driver.reload(MAIN, "2", "", stays)
    newer.docker.run(*end, before[0])
    moves: list[tuple[Endpoint, ...]] = []
    driver.revert(MAIN, moves.append)
    serves(driver, "1")
    there = driver.status(MAIN)
    assert there
    assert (moves[-1], there.artefact, len(newer.containers("app"))) == (there.endpoints, first.artefact, 1)


def test_a_person_has_scaled_it(newer: ComposeWorld) -> None:
    newer.write(SCALED)
    driver = newer.scaled()
    driver.start(MAIN, "1")
    newer.compose("up", "-d", "--no-recreate", "--scale", "app=2", "app")
    with pytest.raises(Failed, match="exactly one container should run, and there is: "):
        driver.reload(MAIN, "2", "", stays)
    assert len(running(newer)) == 2


def test_a_bare_up_leaves_it_alone(both: ComposeWorld) -> None:
    both.write(SCALED)
    driver = both.scaled()
    driver.start(MAIN, "1")
    driver.reload(MAIN, "2", "", stays)
    driver.confirm(MAIN)
    before = running(both)
    both.compose("up", "-d")
    assert running(both) == before
