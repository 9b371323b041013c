"""What is special about services of a compose file, one a slot: the exact image, the ports, how it ends."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from proxyswitch.drivers.compose.project import MARK
from proxyswitch.drivers.compose.service import Service
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Health, Slot
from proxyswitch.system import proc, signals
from tests.contract.drivers import wait
from tests.drivers.compose_world import SLOTS, ComposeWorld, version

pytest_plugins = ["tests.drivers.compose_fixtures"]
pytestmark = pytest.mark.root


def healthy(both: ComposeWorld) -> None:
    """Wait until Docker says so of slot blue."""
    wait(lambda: (there := both.driver().status(both.slot())) and there.health == Health.HEALTHY)


# which image


def test_exactly_the_image_that_ran_although_its_tag_has_moved(both: ComposeWorld) -> None:
    both.docker.run("tag", f"{both.images}:1", f"{both.prefix}:1")
    driver = both.driver(image=f"{both.prefix}:{{version}}")
    first = driver.start(both.slot(), "1").artefact
    assert first == both.docker.run("image", "inspect", "-f", "{{.Id}}", f"{both.images}:1")
    driver.stop(both.slot())
    both.docker.run("tag", f"{both.images}:2", f"{both.prefix}:1")
    again = driver.start(both.slot(), "1", first)
    assert (again.artefact, again.version) == (first, "1")
    healthy(both)
    assert version(both.slot().endpoint) == "1"
    driver.stop(both.slot())
    assert driver.start(both.slot(), "1").artefact != first


def test_an_image_that_is_gone(newer: ComposeWorld) -> None:
    with pytest.raises(Failed) as caught:
        newer.driver().start(newer.slot(), "1", "sha256:" + "0" * 64)
    assert "the image of 1 is not on this machine any more" in caught.value.what
    assert "proxyswitch deploy web --version 1" in caught.value.next_step
    assert newer.containers() == []


def test_build_gives_the_image_its_tag(both: ComposeWorld) -> None:
    (both.folder / "Dockerfile").write_text(f"FROM {both.images}:1\nARG MADE\nENV VERSION=$MADE\n")
    build = "    build: {{context: ., args: {{MADE: '${{APP_VERSION}}-built'}}}}\n    profiles: [web]\n"
    both.write(SLOTS.replace("    profiles: [web]\n", build))
    made = both.driver(image=f"{both.prefix}:{{version}}", build=True).start(both.slot(), "7")
    assert made.artefact == both.docker.run("image", "inspect", "-f", "{{.Id}}", f"{both.prefix}:7")
    healthy(both)
    assert version(both.slot().endpoint) == "7-built"


def test_what_was_built_is_cleared_away(newer: ComposeWorld) -> None:
    (newer.folder / "Dockerfile").write_text(f"FROM {newer.images}:1\nARG MADE\nENV VERSION=$MADE\n")
    build = "    build: {{context: ., args: {{MADE: '${{APP_VERSION}}-built'}}}}\n    profiles: [web]\n"
    newer.write(SLOTS.replace("    profiles: [web]\n", build))
    driver = newer.driver(image=f"{newer.prefix}:{{version}}", build=True)
    made = driver.start(newer.slot(), "7")
    with pytest.raises(Failed, match=r"docker image rm, of web 7"):  # it runs
        driver.forget("7", made.artefact)
    driver.stop(newer.slot())
    newer.compose("rm", "-f", "app-blue")
    assert newer.driver(image=f"{newer.prefix}:{{version}}").forget("7", made.artefact) == ""  # we did not build it
    assert made.artefact in driver.forget("7", made.artefact)
    assert driver.forget("7", made.artefact) == ""
    assert made.artefact not in newer.docker.run("image", "ls", "-q", "--no-trunc")


def test_a_build_that_fails(both: ComposeWorld) -> None:
    (both.folder / "Dockerfile").write_text(f"FROM {both.images}:1\nRUN echo no such library; exit 4\n")
    both.write(SLOTS, ("    profiles: [web]\n", "    build: .\n    profiles: [web]\n"))
    with pytest.raises(Failed, match="docker compose build app-blue: it ended with status") as caught:
        both.driver(build=True).start(both.slot(), "7")
    assert re.search("returned a non-zero code: 4|exit code: 4", caught.value.what)
    assert both.containers() == []


def test_services_without_profiles(both: ComposeWorld) -> None:
    """As in the usual file: each start is of one service, and the others stay as they are."""
    both.write(SLOTS.replace("    profiles: [web]\n", ""))
    both.compose("up", "-d", "db")
    db = both.containers("db")[0]["State"]["Pid"]
    driver = both.driver()
    driver.start(both.slot(), "1")
    blue = both.containers()[0]["State"]["Pid"]
    driver.start(both.slot("green"), "2")
    healthy(both)
    assert (both.containers()[0]["State"]["Pid"], both.containers("db")[0]["State"]["Pid"]) == (blue, db)
    assert driver.stop(both.slot("green"))
    assert (both.containers()[0]["State"]["Pid"], both.containers("db")[0]["State"]["Pid"]) == (blue, db)


def test_values_of_files_and_of_the_settings(both: ComposeWorld) -> None:
    """`.env` beside the compose file keeps working, and what is ours goes first."""
    (both.folder / ".env").write_text("SECRET=from-the-file\nAPP_VERSION=nobody\n")
    (both.folder / "more.env").write_text("MORE=there\n")
    both.write(SLOTS, ("      SLOT: blue\n", "      SLOT: blue-${EXTRA}\n"), ("[web]\n", "[web]\n    env_file: more.env\n"))
    driver = both.driver(image=f"{both.images}:{{version}}", env={"EXTRA": "{slot}-{version}"})
    assert driver.start(both.slot(), "1").version == "1"
    env = both.containers()[0]["Config"]["Env"]
    assert {"SECRET=from-the-file", "MORE=there", "SLOT=blue-blue-1"} <= set(env)


# where it listens, and who tells how it is


def test_an_address_that_is_not_published(both: ComposeWorld) -> None:
    """With version 1 of Compose it is seen only when it runs, and stopped again."""
    driver = both.driver()
    with pytest.raises(UsageError, match=f"app-blue publishes 127.0.0.1:{both.blue}, not 127.0.0.1:{both.green}") as caught:
        driver.start(both.slot("green", "blue"), "1")
    assert "in the compose file the same" in caught.value.next_step
    assert driver.status(both.slot()) is None


def test_an_address_that_is_not_published_is_seen_before_the_start(newer: ComposeWorld) -> None:
    newer.compose("up", "-d", "db")
    with pytest.raises(UsageError, match=f"app-blue publishes 127.0.0.1:{newer.blue}, not 127.0.0.1:{newer.green}"):
        newer.driver().check(newer.slot("green", "blue"))
    for other in (Endpoint("app-blue", 8000), Endpoint(path="/run/app.sock")):  # in a network of Docker's, or a volume
        newer.driver().check(Slot("blue", other))
    newer.driver().start(Slot("blue", Endpoint("app-blue", 8000)), "1")


def test_without_any_health_check_nothing_could_be_told(both: ComposeWorld) -> None:
    driver = both.driver(grace="1s")
    with pytest.raises(UsageError, match="nothing tells whether app-blue is healthy: Docker accepts connections before"):
        driver.start(both.slot(), "blind")
    assert driver.status(both.slot()) is None
    told = both.driver(health={"url": "http://{address}/health"}).start(both.slot(), "blind")
    assert told.health == Health.UNKNOWN


def test_its_process_is_known_where_the_engine_is_here(newer: ComposeWorld) -> None:
    made = newer.driver().start(newer.slot(), "1")
    assert made.process
    assert made.process.pid == newer.containers()[0]["State"]["Pid"]


def test_doctor(newer: ComposeWorld) -> None:
    newer.compose("up", "-d", "db")
    assert newer.driver().problems() == []
    newer.write(SLOTS.replace("    profiles: [web]\n", ""))
    newer.compose("kill", "db")
    blue, bare, *green = newer.driver().problems()
    assert "the service db, which app-blue depends on, does not run" in blue.what
    assert "app-blue has no profile: a bare `docker compose up -d` starts it anew" in bare.what
    assert len(green) == 2


def test_two_projects_in_one_folder(newer: ComposeWorld) -> None:
    newer.driver().start(newer.slot(), "1")
    other = newer.driver(project=f"{newer.prefix}two")
    assert other.status(newer.slot()) is None
    newer.write(SLOTS, (str(newer.blue), str(newer.green)))
    other.start(newer.slot("green", "blue"), "1")
    with pytest.raises(UsageError, match="is the folder of 2 compose projects with a service app-blue"):
        newer.driver(project="").status(newer.slot())


# its end


def test_a_container_that_was_stopped_does_not_come_back_with_the_engine(newer: ComposeWorld) -> None:
    newer.write(SLOTS, ("    profiles: [web]\n", "    restart: always\n    profiles: [web]\n"))
    driver = newer.driver()
    driver.start(newer.slot(), "1")
    assert driver.stop(newer.slot())
    assert newer.containers()[0]["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_command_that_a_killed_run_left_is_ended(newer: ComposeWorld) -> None:
    """It would start what is about to be stopped."""
    mark = Service(newer.context(), newer.slot()).project.mark
    left = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark})
    try:
        wait(lambda: proc.with_environment(MARK, mark))
        assert newer.driver().stop(newer.slot()) is False
        assert left.wait(20) == -signals.KILL
    finally:
        left.kill()
        left.wait()


def test_the_grace_of_the_compose_file(both: ComposeWorld) -> None:
    both.write(SLOTS, ("    profiles: [web]\n", "    stop_grace_period: 1s\n    profiles: [web]\n"))
    driver = both.driver()
    driver.start(both.slot(), "deaf")
    wait(lambda: "listens" in "".join(driver.logs(both.slot(), 5)))
    assert driver.stop(both.slot())
    assert both.said[-1].endswith("1 did not end within 1.0 s and was killed")


def test_last_words(newer: ComposeWorld) -> None:
    driver = newer.driver()
    driver.start(newer.slot(), "exits")
    wait(lambda: driver.status(newer.slot()) is None)
    words = driver.obituary(newer.slot())
    assert re.fullmatch(
        r"web:blue: the container \S+app-blue-1 ended with status 3\n  cannot reach the database: the last line", words
    )
    assert list(driver.logs(newer.slot(), 0)) == []
