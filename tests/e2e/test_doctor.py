"""`doctor`: everything fine is exit 0, whatever is wrong is exit 1 with what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.shop import Shop


def test_all_is_well(web: Shop) -> None:
    result = web.run("doctor")
    assert result.code == 0, result.out
    assert "WRONG" not in result.out
    for words in ("state folder", "settings: ", "nginx 1.", "1 pool", "nginx runs, pid ", "app web: pool app_backend at "):
        assert words in result.out
    data = web.run("doctor", "--json").json
    assert data["ok"] is True
    assert all(finding["ok"] for finding in data["findings"])
    assert web.run("doctor", "-q").out == ""


def settings_wrong(web: Shop) -> None:
    web.settings.write_text(web.settings.read_text().replace("watch", "wotch"))


def no_pool(web: Shop) -> None:
    web.configure(pool="gone")


def no_program(web: Shop) -> None:
    web.configure(command=["/nonexistent/app"])


def no_binary(web: Shop) -> None:
    web.settings.write_text(web.settings.read_text().replace("nginx = {", 'nginx = {binary = "/nonexistent/nginx", ', 1))


def interrupted(web: Shop) -> None:
    (web.bench.state / "journal").mkdir(exist_ok=True)
    (web.bench.state / "journal" / "app-web.jsonl").write_text('{"kind":"begin"}\n')


def config_broken(web: Shop) -> None:
    web.bench.pools.write_text("upstream {{\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (settings_wrong, "apps.web.wotch: unknown key: did you mean 'watch'?"),
        (no_pool, "no pool 'gone'"),
        (no_program, "/nonexistent/app"),
        (no_binary, "/nonexistent/nginx"),
        (interrupted, "interrupted runs left app-web.jsonl"),
        (config_broken, "pools.conf"),
    ],
)
def test_what_is_wrong_is_said(web: Shop, spoil: Callable[[Shop], None], said: str) -> None:
    spoil(web)
    result = web.run("doctor", "-q")
    assert result.code == 1, result.out
    assert said in result.out
    assert "ok   " not in result.out
    data = web.run("doctor", "--json")
    assert (data.code, data.json["ok"]) == (1, False)


def test_a_config_that_nginx_has_not_loaded_yet(web: Shop) -> None:
    web.bench.pools.write_text(web.bench.pools.read_text() + "# later\n")
    result = web.run("doctor", "-q")
    assert result.code == 1
    assert f"{web.bench.pools} was changed after nginx last loaded it" in result.out
    assert "next: nginx -t" in result.out
