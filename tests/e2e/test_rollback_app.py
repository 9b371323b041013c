"""`rollback` of an app: the version before is started again and takes the traffic."""

from __future__ import annotations

from tests.e2e.shop import Shop


def test_each_rollback_goes_further_back_until_nothing_is_known(web: Shop) -> None:
    web.deploy("2")
    web.deploy("3")
    dry = web.run("rollback", "web", "--dry-run")
    assert dry.code == 0, dry.err
    assert "start web 2 in slot green" in dry.out
    assert web.bench.version() == "3"

    first = web.run("rollback", "web", "--json")
    assert first.code == 0, first.err
    assert (first.json["from"]["version"], first.json["to"]["version"]) == ("3", "2")
    assert web.instances() == {"green": "2"}
    assert web.bench.version() == "2"

    second = web.run("rollback", "web")
    assert second.code == 0, second.err
    assert second.out.startswith("web: 2 (green) → 1 (blue)")
    assert web.bench.version() == "1"

    before = web.snapshot()
    third = web.run("rollback", "web")
    assert third.code == 2
    assert "nothing to take back: no release of web is in the history" in third.err
    assert web.snapshot() == before
    assert web.bench.version() == "1"


def test_after_a_rollback_a_new_release_is_the_one_to_take_back(web: Shop) -> None:
    web.deploy("2")
    assert web.run("rollback", "web").code == 0
    web.deploy("3")
    assert web.run("rollback", "web").code == 0
    assert web.bench.version() == "1"
    kinds = [("release", "2"), ("rollback", "1"), ("release", "3"), ("rollback", "1")]
    assert [(kind, version) for kind, version, _ in web.releases()] == kinds


def test_a_version_that_was_released_anew_goes_back_to_the_instance_before(web: Shop) -> None:
    web.deploy("1", "--again")
    assert web.instances() == {"green": "1"}
    result = web.run("rollback", "web")
    assert result.code == 0, result.err
    assert web.instances() == {"blue": "1"}
    assert web.run("rollback", "web").code == 2  # and it was counted


def test_the_first_release_has_none_before_it(empty: Shop) -> None:
    nothing = empty.run("rollback", "web")
    assert nothing.code == 2
    assert "no release of web is in the history" in nothing.err
    empty.deploy("1")
    result = empty.run("rollback", "web")
    assert result.code == 2
    assert "web 1 is the first release that is known" in result.err
    assert "proxyswitch deploy web --version V" in result.err
    assert empty.bench.version() == "1"


def test_a_failed_release_is_not_what_a_rollback_takes_back(web: Shop) -> None:
    web.deploy("2")
    web.deploy("3-crashes", code=3)
    assert web.run("rollback", "web").code == 0
    assert web.bench.version() == "1"


def test_a_rollback_to_a_version_that_fails_leaves_all_as_it_is_and_can_be_tried_again(web: Shop) -> None:
    web.deploy("2")
    web.configure(hooks={"prepare": "test -e ready"})
    result = web.run("rollback", "web")
    assert result.code == 3
    assert "everything is as before: web 2 serves from slot green" in result.err
    assert web.instances() == {"green": "2"}
    (web.bench.folder / "ready").touch()
    assert web.run("rollback", "web").code == 0
    assert web.bench.version() == "1"


def test_without_a_name_the_last_of_all_is_taken_back(web: Shop) -> None:
    web.deploy("2")
    result = web.run("rollback", "--json")
    assert result.code == 0, result.err
    assert result.json["to"]["version"] == "1"
    assert web.bench.version() == "1"


def test_without_a_name_a_later_switch_of_a_pool_comes_first(web: Shop) -> None:
    web.bench.pools.write_text(web.bench.pools.read_text() + "upstream other { server 127.0.0.1:1; }\n")
    web.deploy("2")
    assert web.run("switch", "other", "127.0.0.1:2").code == 0
    result = web.run("rollback", "--force")
    assert result.code == 0, result.err
    assert "upstream other { server 127.0.0.1:1; }" in web.bench.pools.read_text()
    assert web.bench.version() == "2"
    assert web.run("rollback").code == 0  # then the release before it
    assert web.bench.version() == "1"


def test_without_a_name_a_switch_from_before_a_release_that_was_taken_back_is_next(web: Shop) -> None:
    web.bench.pools.write_text(web.bench.pools.read_text() + "upstream other { server 127.0.0.1:1; }\n")
    assert web.run("switch", "other", "127.0.0.1:2").code == 0
    web.deploy("2")
    assert web.run("rollback").code == 0
    result = web.run("rollback", "--force")
    assert result.code == 0, result.err
    assert "upstream other { server 127.0.0.1:1; }" in web.bench.pools.read_text()
    assert web.bench.version() == "1"


def test_the_pool_of_an_app_does_not_go_back_alone(web: Shop) -> None:
    web.deploy("2")
    before = web.snapshot()
    result = web.run("rollback", "app_backend")
    assert result.code == 2
    assert "was a release of web" in result.err
    assert "proxyswitch rollback web" in result.err
    assert web.snapshot() == before
    assert web.bench.version() == "2"
