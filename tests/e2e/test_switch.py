"""`switch` on a real nginx: the good way."""

from __future__ import annotations

from tests.e2e.support import Bench


def test_traffic_moves_and_the_file_changes_by_the_port_alone(running: Bench) -> None:
    before = running.pools.read_text()
    old, new = before.split("127.0.0.1:")[2].split(";")[0], running.instance("2")
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--json", "--drain", "20s")
    assert result.code == 0, result.err
    assert result.json["changed"] is True
    assert result.json["to"] == [f"127.0.0.1:{new}"]
    assert running.version() == "2"
    assert running.pools.read_text() == before.replace(f"server 127.0.0.1:{old};", f"server 127.0.0.1:{new};")


def test_a_switch_that_is_so_already_is_silent(running: Bench) -> None:
    endpoint = running.run("get", "app_backend").out.strip()
    result = running.run("switch", "app_backend", endpoint)
    assert (result.code, result.out, result.err) == (0, "", "")
