"""`rollback POOL`: the inverse of the last change, applied to the file as it is now."""

from __future__ import annotations

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from tests.e2e.support import Bench, eventually


@pytest.fixture
def switched(running: Bench) -> tuple[Bench, str, str]:
    """The pool was switched from version 1 to version 2. The bench and both addresses."""
    old, new = running.run("get", "app_backend").out.strip(), f"127.0.0.1:{running.instance('2')}"
    assert running.run("switch", "app_backend", new, "-q").code == 0
    return running, old, new


def test_a_switch_is_taken_back(switched: tuple[Bench, str, str]) -> None:
    place, old, new = switched
    text = place.pools.read_text()
    result = place.run("rollback", "app_backend", "--json", "--drain", "30s")
    assert result.code == 0, result.err
    assert (result.json["changed"], result.json["from"], result.json["to"]) == (True, [new], [old])
    assert place.version() == "1"
    assert old in place.pools.read_text()
    assert place.pools.read_text() != text


def test_edits_by_hand_elsewhere_survive(switched: tuple[Bench, str, str]) -> None:
    place, old, _ = switched
    mine = "# mine\nupstream mine { server 127.0.0.1:9; }\n"
    place.pools.write_text(mine + place.pools.read_text().replace("# blue", "# by hand"))
    assert place.run("rollback", "app_backend").code == 0
    text = place.pools.read_text()
    assert text.startswith(mine)
    assert f"server {old};" in text
    assert "# by hand" in text
    assert place.version() == "1"


def test_a_pool_that_was_changed_since_is_not_touched(switched: tuple[Bench, str, str]) -> None:
    place, _, new = switched
    place.pools.write_text(place.pools.read_text().replace(f"{new};", f"{new} weight=5;"))
    with place.nothing_done():
        result = place.run("rollback", "app_backend")
    assert result.code == 3
    assert f"app_backend was changed since: after the last change it had {new}; now it has {new} weight=5" in result.err
    assert "--force" in result.err
    assert place.version() == "2"


def test_force_takes_back_what_still_fits(switched: tuple[Bench, str, str]) -> None:
    place, old, new = switched
    third = f"127.0.0.1:{place.instance('3')}"
    place.pools.write_text(place.pools.read_text().replace("}", f"    server {third} backup; # added by hand\n}}"))
    assert place.run("rollback", "app_backend").code == 3
    result = place.run("rollback", "app_backend", "--force")
    assert result.code == 0, result.err
    text = place.pools.read_text()
    assert f"server {old};" in text
    assert new not in text
    assert f"server {third} backup; # added by hand" in text
    assert place.version() == "1"


def test_twice_goes_one_further_back_and_then_there_is_nothing(switched: tuple[Bench, str, str]) -> None:
    place, *_ = switched
    assert place.run("switch", "app_backend", f"127.0.0.1:{place.instance('3')}", "-q").code == 0
    seen = [place.version()]
    for _ in range(2):
        assert place.run("rollback", "app_backend", "-q").code == 0
        seen.append(place.version())
    assert seen == ["3", "2", "1"]
    with place.nothing_done():
        last = place.run("rollback", "app_backend")
    assert last.code == 2
    assert "nothing to take back" in last.err


def test_without_a_name_the_last_change_of_all_is_taken_back(switched: tuple[Bench, str, str]) -> None:
    place, *_ = switched
    assert place.run("rollback", "-q").code == 0
    assert place.version() == "1"


def test_a_pool_that_never_changed_has_nothing_to_take_back(running: Bench) -> None:
    with running.nothing_done():
        result = running.run("rollback", "app_backend")
    assert result.code == 2
    assert "nothing to take back: no change of app_backend" in result.err


def test_an_old_side_that_is_gone_is_not_gone_back_to(switched: tuple[Bench, str, str]) -> None:
    place, old, _ = switched
    place.started[0].kill()
    assert eventually(lambda: not net.is_listening(Endpoint.parse(old)))
    with place.nothing_done():
        result = place.run("rollback", "app_backend")
    assert result.code == 3
    assert f"nothing answers where app_backend would go back to: {old}" in result.err
    assert place.version() == "2"
    assert place.run("rollback", "app_backend", "--force").code == 0
    assert place.run("get", "app_backend").out == f"{old}\n"


def test_weights_and_states_are_taken_back_too(switched: tuple[Bench, str, str]) -> None:
    place, _, new = switched
    before = place.pools.read_text()
    assert place.run("weight", "app_backend", f"{new}=3", "-q").code == 0
    assert f"{new} weight=3;" in place.pools.read_text()
    assert place.run("rollback", "app_backend", "-q").code == 0
    assert place.pools.read_text().split() == before.split()  # how a comment was aligned cannot always be known


def test_a_dry_run_shows_the_way_back(switched: tuple[Bench, str, str]) -> None:
    place, old, new = switched
    with place.nothing_done():
        result = place.run("rollback", "app_backend", "--dry-run")
    assert result.code == 0
    assert f"-    server {new};" in result.out
    assert f"+    server {old};" in result.out
