"""What is special about the PM2 driver: where an app's description comes from, what is refused, what is never shown."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from proxyswitch import settings
from proxyswitch.drivers.pm2.worker import read
from proxyswitch.errors import Failed, SettingsError, UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import signals
from tests.drivers.gunicorn_world import toml
from tests.drivers.pm2_world import SECRET, Site, site, wait

__all__ = ["site"]
OTHER = "www-data"


@contextmanager
def as_user(name: str) -> Iterator[None]:
    """What a call does as an ordinary user."""
    entry = pwd.getpwnam(name)
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


# settings


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "7"}, "name: '7' is no name of an app"),
        ({"name": "all"}, "name: PM2 means every app by it"),
        ({"name": "web-{version}"}, "name: '"),
        ({"script": "web.js"}, "script: the file of ecosystem names it already"),
        ({"ecosystem": "web.js"}, "ecosystem: PM2 reads files whose names end in"),
        ({"ecosystem": None, "app": "web"}, "app: belongs to a file"),
        ({"ecosystem": None, "environment": "production"}, "environment: belongs to a file"),
        ({"args": ["--verbose"]}, "args: belongs to script"),
        ({"exec_mode": "threads"}, "exec_mode: 'threads' is not known; known: fork, cluster"),
        ({"release": None}, "current: the link, and release, the folder that it leads to, go together"),
        ({"release": "releases/x"}, "release: must contain {version} once"),
        ({"current": "{version}/current"}, "current: must not contain {version}"),
        ({"cwd": "releases/{version}"}, "cwd: PM2 keeps it over a reload"),
        ({"instances": 0}, "instances: expected `int` >= 1"),
        ({"wait-ready": True}, "wait-ready: unknown key: did you mean 'wait_ready'?"),
    ],
)
def test_mistakes_in_the_settings(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    usual = {"name": "web", "ecosystem": "ecosystem.config.js", "current": "current", "release": "releases/{version}"}
    table = {key: value for key, value in {**usual, **keys}.items() if value is not None}
    tree = {"apps": {"web": {"slots": {"main": "127.0.0.1:3000"}, "pm2": table}}}
    with pytest.raises(SettingsError) as caught:
        settings.parse(toml(tree).encode(), str(tmp_path / "proxyswitch.toml"))
    assert f"apps.web.pm2.{said}" in caught.value.what


@pytest.mark.parametrize("key", ["name", "current"])
def test_two_slots_need_a_name_each(tmp_path: Path, key: str) -> None:
    table = {"name": "web-{slot}", "current": "slots/{slot}", "release": "releases/{version}", key: "web"}
    slots = {"blue": "127.0.0.1:3001", "green": "127.0.0.1:3002"}
    tree = {"apps": {"web": {"slots": slots, "pool": "web", "pm2": table}}}
    with pytest.raises(SettingsError, match=rf"apps.web.pm2.{key}: must contain \{{slot\}}"):
        settings.parse(toml(tree).encode(), str(tmp_path / "proxyswitch.toml"))


# the description of the app


def app(site: Site, **keys: Any) -> dict[str, Any]:
    usual = {"name": "web", "script": "web.js", "cwd": str(site.folder / "current"), "exec_mode": "cluster", "instances": 1}
    return {**usual, "wait_ready": True, "listen_timeout": 20000, "kill_timeout": 5000, **keys}


@pytest.mark.parametrize("kind", ["json", "yml", "config.cjs"])
def test_kinds_of_files(site: Site, kind: str) -> None:
    text = json.dumps({"apps": [app(site, env={"SECRET": SECRET}), {"name": "other", "script": "other.js"}]})
    path = site.folder / f"apps.{kind}"
    path.write_text(f"module.exports = {text};" if kind == "config.cjs" else text)  # JSON is YAML
    site.put("v1")
    driver = site.driver(ecosystem=path.name)
    try:
        assert driver.start(site.slot, "v1").version == "v1"
        assert site.names() == {"web"}
        assert {one["pm2_env"]["SECRET"] for one in site.pm2.list()} == {SECRET}
    finally:
        driver.stop(site.slot)


def test_ours_wins_over_the_file_and_env_production_over_env(site: Site) -> None:
    site.ecosystem(env={"PORT": "1", "COLOUR": "red", "MODE": "dev"}, env_production={"MODE": "live", "PORT": "2"})
    site.put("v1")
    keys = {"environment": "production", "env": {"COLOUR": "blue-{version}"}}
    site.driver(**keys).start(site.slot, "v1")
    env = site.pm2.list()[0]["pm2_env"]["env"]
    assert (env["PORT"], env["COLOUR"], env["MODE"]) == (str(site.port), "blue-v1", "live")
    assert "PROXYSWITCH_PM2" not in env
    wait(lambda: site.version() == "v1")
    site.driver(**keys).stop(site.slot)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("e.config.js", f"module.exports = {{ apps: [ {{ name: 'web', env: {{ SECRET: '{SECRET}' ", "Unexpected"),
        ("e.json", f'{{"apps": [{{"name": "web", "env": {{"SECRET": "{SECRET}" ]', "Unexpected"),
        ("e.yml", f"apps:\n  - name: web\n    env: {{SECRET: {SECRET}\n  - ]", ""),
        ("e.json", '{"apps": [{"name": "shop", "script": "x.js"}]}', "no app in it with the name web; there is shop"),
        ("e.json", '{"apps": [{"name": "web"}, {"name": "web"}]}', "2 apps in it with the name web"),
    ],
)
def test_a_file_that_cannot_be_used(site: Site, name: str, text: str, said: str) -> None:
    """What is in it is not shown: it holds secrets."""
    (site.folder / name).write_text(text)
    site.put("v1")
    with pytest.raises(UsageError) as caught:
        site.driver(ecosystem=name).check(site.slot)
    assert f"{site.folder / name}: " in caught.value.what
    assert said in caught.value.what
    assert SECRET not in caught.value.what
    assert not (site.pm2.home / "pm2.pid").exists()


def test_a_file_or_an_environment_that_is_not_there(site: Site) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        site.driver(ecosystem="none.json").check(site.slot)
    with pytest.raises(UsageError, match="the app web has no env_staging"):
        site.driver(environment="staging").check(site.slot)


def test_a_name_that_pm2_does_not_know(site: Site) -> None:
    with pytest.raises(UsageError, match="PM2 knows no app web"):
        site.driver(ecosystem=None).check(site.slot)
    assert "nothing says how web is started" in str(site.driver(ecosystem=None).problems())


# PM2 itself


def test_the_list_is_the_last_line_and_may_be_no_list() -> None:
    line = '[{"name": "web", "pm_id": 0, "pid": 1, "pm2_env": {"status": "online", "SECRET": "hunter2"}}]'
    found = read(f"[PM2][WARN] In-memory PM2 is out-of-date\n{line}\n")
    assert found
    assert SECRET not in repr(found)
    assert read("[PM2] Spawning PM2 daemon") is None
    assert read("") is None


def test_what_pm2_prints_is_not_shown_when_it_is_no_list(site: Site) -> None:
    site.pm2.run("ping")
    program = site.folder / "pm2"
    program.write_text(f'#!/bin/sh\necho \'[{{"SECRET": "{SECRET}"\'\n')
    program.chmod(0o755)
    with pytest.raises(Failed) as caught:
        site.driver(program=str(program)).status(site.slot)
    assert "pm2 jlist gave no list" in caught.value.what
    assert SECRET not in "".join(caught.value.lines())


def test_nothing_starts_a_daemon_but_a_start(site: Site) -> None:
    driver = site.driver()
    assert "does not run yet" in driver.about()
    assert driver.status(site.slot) is None
    assert driver.stop(site.slot) is False
    assert "PM2 does not run" in driver.obituary(site.slot)
    assert list(driver.logs(site.slot, 5)) == []
    assert list(site.pm2.home.iterdir()) == []


@pytest.mark.root
def test_no_permission(site: Site) -> None:
    site.put("v1")
    site.driver().start(site.slot, "v1")
    context = site.driver()
    with as_user(OTHER), pytest.raises(UsageError) as caught:
        context.about()
    assert f"no permission to talk to PM2 at {site.pm2.home}" in caught.value.what
    with as_user(OTHER), pytest.raises(UsageError, match="only root can talk to PM2 as root"):
        site.driver(user="root").about()
    site.driver().stop(site.slot)


def test_a_user_that_is_not_there(site: Site) -> None:
    with pytest.raises(UsageError, match="there is no user 'nobody-at-all' on this machine"):
        site.driver(user="nobody-at-all", home=None).about()


def test_a_variable_by_which_ci_kills_does_not_get_into_the_app(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_TRACKING_ID", "github_1")
    site.put("v1")
    site.driver().start(site.slot, "v1")
    assert "RUNNER_TRACKING_ID" not in site.pm2.list()[0]["pm2_env"]["env"]
    daemon = (Path("/proc") / str(site.daemon().pid) / "environ").read_bytes()
    assert b"RUNNER_TRACKING_ID" not in daemon
    assert b"PROXYSWITCH_PM2" not in daemon
    site.driver().stop(site.slot)


def test_what_outlives_the_daemon_is_seen_and_ended(site: Site) -> None:
    """In fork mode; nobody but us knows it then."""
    site.ecosystem(cwd=None, exec_mode="fork", instances=1, wait_ready=False, pmx=False)
    site.put("v1")
    slot = site.context(site.beside(), slots=site.slots, pool="web").app.places[0]
    there = site.slot_driver().start(slot, "v1")
    wait(lambda: site.version() == "v1")
    signals.send(site.daemon(), signals.KILL)
    wait(lambda: not site.slot_driver()._client.runs())
    left = site.slot_driver().status(slot)
    assert left
    assert (left.version, left.process) == ("v1", there.process)
    with mock.patch("proxyswitch.drivers.pm2.known.me", return_value=ProcessId(1, 1)):  # a later run
        assert site.slot_driver().stop(slot) is True
    assert site.version() == ""
