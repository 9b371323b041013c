"""The settings of the Compose driver, and what it runs, without an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxyswitch import settings
from proxyswitch.drivers.compose.container import Container
from proxyswitch.drivers.compose.project import Project, Wanted, beside, up
from proxyswitch.errors import SettingsError
from proxyswitch.model import Endpoint, Slot
from proxyswitch.system import clock
from tests.e2e.shop import toml

BLUE = Slot("blue", Endpoint("127.0.0.1", 3001))


def app(table: object, slots: object = None) -> settings.App:
    slots = slots or {"blue": "127.0.0.1:3001", "green": "127.0.0.1:3002"}
    text = f"[apps.web]\nslots = {toml(slots)}\npool = 'web'\ncompose = {toml(table)}\n"
    return settings.parse(text.encode(), "/srv/web/proxyswitch.toml").app("web")


# the settings


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"service": "app"}, "service: must contain {slot}: the app has 2 slots"),
        ({"service": "app-{slot}-{version}"}, "service: must be the name of a service"),
        ({"service": "app-{slot}", "image": "shop:1"}, 'image: must contain {version}, as "shop:{version}"'),
        ({"service": "app-{slot}", "files": []}, "files: at least one is needed"),
        ({"service": "app-{slot}", "build": True, "pull": True}, "pull: an image is built or pulled, not both"),
        ({"service": "app-{slot}", "program": "podman compose"}, "program: 'podman compose' is not known"),
    ],
)
def test_what_is_wrong_with_the_settings(table: object, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        app(table)
    assert f"compose.{said}" in str(caught.value)


def test_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    file.touch()
    table = {"service": "app-{slot}", "program": "docker-compose", "files": [str(file)], "project": "shop"}
    made = app({**table, "env": {"TAG": "v{version}-{slot}"}, "timeout": "5m"}).compose
    assert made
    command = Project(made, Path("/state/blue.compose.json")).command(BLUE, "2", *up("app-blue"))
    files = ("-p", "shop", "-f", str(file), "-f", "/state/blue.compose.json")
    words = ("up", "-d", "--no-deps", "--no-build", "--quiet-pull", "--force-recreate", "app-blue")
    assert command.argv == ("docker-compose", *files, *words)
    assert (command.timeout, command.cwd) == (300.0, str(tmp_path))
    assert command.env == {"APP_VERSION": "2", "TAG": "v2-blue", "PROXYSWITCH_COMPOSE": "/state/blue.compose.json"}
    assert "--no-recreate --scale app=2 app" in " ".join(beside("app", 2))


def test_a_folder_means_the_files_that_compose_itself_takes(tmp_path: Path) -> None:
    for name in ("docker-compose.yml", "compose.yaml", "compose.override.yml", "other.yml"):
        (tmp_path / name).touch()
    made = app({"service": "app-{slot}", "files": [str(tmp_path)]}).compose
    assert made
    names = [Path(file).name for file in Project(made, Path("/state/x")).files]
    assert names == ["compose.yaml", "compose.override.yml"]


def test_what_is_laid_over_the_file() -> None:
    assert Wanted("app", "1").override() == {"services": {"app": {"labels": {"proxyswitch.version": "1"}}}}
    exact = Wanted("app", "$1", "sha256:ab").override()["services"]["app"]
    assert exact == {"labels": {"proxyswitch.version": "$$1"}, "image": "sha256:ab", "pull_policy": "never"}


@pytest.mark.parametrize(
    ("state", "restarts", "ago", "runs"),
    [
        ({"Running": True}, 0, 0, True),
        ({"Running": True}, 3, 5, False),
        ({"Running": True}, 3, 60, True),
        ({"Running": True, "Restarting": True}, 3, 60, False),
        ({}, 0, 60, False),
    ],
)
def test_one_that_was_started_again_just_now_does_not_count(
    state: dict[str, bool], restarts: int, ago: float, runs: bool
) -> None:
    since = datetime.fromtimestamp(clock.wall() - ago, UTC).isoformat()
    raw = {"RestartCount": restarts, "State": {"Running": False, "Restarting": False, "StartedAt": since, **state}}
    assert Container(raw).runs is runs
