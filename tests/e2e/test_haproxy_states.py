"""What was changed lasts: after each kind of change a reload and a restart, without a state file and with each kind of one;
and state files that say something else than config and process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.haproxy_pairs import BLUE, done, facts, lasts, pair, shown, states, versions
from tests.e2e.haproxy_support import CONF, POOLS, WITH_STATE, HaproxyBench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

LOCAL = CONF.replace("global\n", "global\n    server-state-base {folder}\n").replace(
    "defaults\n", "defaults\n    load-server-state-from-file local\n"
)
KINDS = {"none": CONF, "global": WITH_STATE, "local": LOCAL}


def saved(place: HaproxyBench, kind: str) -> Path:
    return place.folder / "app_backend" if kind == "local" else place.state_file


def save(place: HaproxyBench, kind: str) -> None:
    """As an init script does before a reload; nothing where no state file is configured."""
    if kind != "none":
        text = place.ask("show servers state" + (" app_backend" if kind == "local" else ""))
        saved(place, kind).write_text(text.rstrip("\n") + "\n")


def switched(place: HaproxyBench) -> None:
    done(place.run("switch", "app_backend", "app-green"))


def moved(place: HaproxyBench) -> None:
    done(place.run("switch", "app_backend", f"127.0.0.1:{place.instance('3')}"))


def weighed(place: HaproxyBench) -> None:
    done(place.run("weight", "app_backend", "app-blue=90", "app-green=10"))


def maintained(place: HaproxyBench) -> None:
    done(place.run("set", "app_backend/app-blue", "maint"))


def added(place: HaproxyBench) -> None:
    done(place.run("switch", "app_backend", "app-blue", "app-green", f"127.0.0.1:{place.instance('4')}"))


def rolled_back(place: HaproxyBench) -> None:
    done(place.run("rollback", "app_backend"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_change_lasts(ha_place: HaproxyBench, kind: str) -> None:
    place = pair(ha_place, conf=KINDS[kind])
    save(place, kind)
    for change in (switched, moved, weighed, maintained, rolled_back, added):
        before = facts(place)
        change(place)
        assert facts(place) != before, change
        lasts(place)
        save(place, kind)  # as an init script does at each stop


@pytest.mark.parametrize("kind", ["global", "local"])
def test_a_state_file_follows_at_once(ha_place: HaproxyBench, kind: str) -> None:
    place = pair(ha_place, conf=KINDS[kind])
    save(place, kind)
    before = saved(place, kind).stat()
    switched(place)
    words = [line.split() for line in saved(place, kind).read_text().splitlines()[2:]]
    assert {row[3]: row[6] != "0" for row in words} == {"app-blue": True, "app-green": True}  # 4 from the config stays
    assert {row[3]: int(row[6]) & 8 for row in words} == {"app-blue": 8, "app-green": 0}
    assert saved(place, kind).stat().st_mode == before.st_mode


def test_no_state_file_is_made_where_none_is(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=WITH_STATE)
    switched(place)
    assert not place.state_file.exists()


def test_a_state_file_that_is_a_link_stays_one(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=WITH_STATE)
    place.save_state()
    real = place.folder / "real.state"
    place.state_file.rename(real)
    place.state_file.symlink_to(real)
    switched(place)
    assert place.state_file.is_symlink()
    lasts(place)


# stale state files


def test_a_port_that_the_state_file_has_older_is_seen_and_put_right(ha_place: HaproxyBench) -> None:
    """The state file wins over the port of the config: HAProxy goes on with the old one after a reload."""
    place = pair(ha_place, conf=WITH_STATE)
    place.save_state()
    place.conf.write_text(place.conf.read_text().replace(str(place.blue), str(place.instance("3"))))
    place.reload()
    assert versions(place) == {"1"}
    says = "; ".join(shown(place)["app-blue"]["differs"])
    assert f"it runs at 127.0.0.1:{place.blue}" in says
    with place.taken_back():
        assert place.run("switch", "app_backend", "app-blue", "--check", "-q").code == 1
    done(place.run("switch", "app_backend", "app-blue"))
    assert versions(place) == {"3"}
    lasts(place)
    assert versions(place) == {"3"}


def test_a_port_that_only_the_state_file_still_has_is_overtaken(ha_place: HaproxyBench) -> None:
    """The process runs as the config says, and the file would bring the old port back at the next reload."""
    place = pair(ha_place, conf=WITH_STATE)
    place.save_state()
    new = place.instance("3")
    assert "port changed" in place.ask(f"set server app_backend/app-blue addr 127.0.0.1 port {new}")
    place.conf.write_text(place.conf.read_text().replace(str(place.blue), str(new)))
    says = "; ".join(shown(place)["app-blue"]["differs"])
    assert f"the state file {place.state_file} has it as ready at 127.0.0.1:{place.blue}" in says
    done(place.run("switch", "app_backend", "app-blue"))
    assert versions(place) == {"3"}
    lasts(place)


def test_a_saved_maintenance_with_a_config_that_was_rolled_back_by_hand(ha_place: HaproxyBench) -> None:
    """Both servers would be out: blue by the state file, green by the config."""
    place = pair(ha_place, conf=WITH_STATE)
    before = place.conf.read_bytes()
    done(place.run("switch", "app_backend", "app-green"))
    place.tell("set server app_backend/app-blue state maint")
    place.save_state()
    place.conf.write_bytes(before)
    place.reload()
    assert states(place)["app-blue"] == "maint"
    done(place.run("switch", "app_backend", "app-blue"))
    assert versions(place) == {"1"}
    lasts(place)
    assert versions(place) == {"1"}


def test_a_stale_file_while_haproxy_does_not_run(ha_place: HaproxyBench) -> None:
    """Nobody can tell what would run; so the lines of the servers that change are taken out."""
    place = pair(ha_place, conf=WITH_STATE)
    place.save_state()
    place.end()
    result = done(place.run("switch", "app_backend", "app-green"))
    assert "HAProxy does not run" in result.err
    place.restart()
    assert (versions(place), place.state_of(*BLUE)) == ({"2"}, "maint")


@pytest.mark.parametrize("text", ["", "garbage\n", "1\n# be_id be_name\n", "2\n"])
def test_a_state_file_that_is_none_is_written_anew(ha_place: HaproxyBench, text: str) -> None:
    place = pair(ha_place, conf=WITH_STATE)
    place.state_file.write_text(text)
    done(place.run("switch", "app_backend", "app-green"))
    assert place.state_file.read_text().startswith("1\n# be_id be_name ")
    lasts(place)


def test_a_state_file_that_cannot_be_written_takes_all_back(ha_place: HaproxyBench) -> None:
    """Nothing can be made in /proc, not even by root."""
    place = pair(ha_place, conf=WITH_STATE.replace("{folder}/servers.state", "/proc/version"))
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-green", "--json")
    assert (result.code, result.json["exit"], result.json["changed"]) == (3, 3, False)
    assert "/proc/version: cannot write: No such file or directory" in result.err
    assert result.json["state"] == "everything is as before"


def test_other_backends_keep_their_lines_in_the_state_file(ha_place: HaproxyBench) -> None:
    more = POOLS + "backend other\n    server o 127.0.0.1:9\n    server p 127.0.0.1:9\n"
    place = pair(ha_place, conf=WITH_STATE, pools=more)
    place.tell("set server other/o weight 0")
    place.save_state()
    switched(place)
    before = facts(place, "other")
    place.reload()
    assert facts(place, "other") == before
    assert before["o"][1] == 0
