"""A reload counts only when it is proven; one that was not taken leaves everything as before, with nginx's own reason."""

from __future__ import annotations

import os
import socket

import pytest

from proxyswitch.system import signals
from tests.e2e.support import CONF, LIMIT, NGINX, Bench, eventually

LIMITED = CONF.replace("access_log off;", "access_log off; limit_req_zone $remote_addr zone=z:32k rate=9r/s;")
# the master tries a port that is in use for 2.5 s: a shorter wait proves nothing
SHORT = "[nginx]\nreload_timeout = 3\n"


@pytest.fixture
def stuck(place: Bench) -> Bench:
    """nginx runs, and a person's own edit, which passes `nginx -t`, keeps it from taking any reload."""
    place.write(place.instance("1"), conf=LIMITED)
    place.start()
    place.conf.write_text(place.conf.read_text().replace("limit_req_zone $remote_addr", "limit_req_zone $request_uri"))
    place.settings(SHORT)
    assert place.nginx_accepts()
    return place


def test_a_changed_zone_key_is_not_taken_and_all_is_as_before(stuck: Bench) -> None:
    with stuck.nothing_done():
        result = stuck.run("switch", "app_backend", f"127.0.0.1:{stuck.instance('2')}", "--json")
    assert (result.code, result.json["exit"], result.json["changed"]) == (3, 3, False)
    assert "nginx did not take the reload" in result.err
    assert 'limit_req "z" uses the "$request_uri" key while previously it used the "$remote_addr" key' in result.err
    assert "state: everything is as before" in result.err
    assert stuck.version() == "1"


def test_a_port_of_another_process_is_not_taken_and_all_is_as_before(running: Bench) -> None:
    running.settings(SHORT)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        text = running.conf.read_text()
        running.conf.write_text(text.replace("server {", f"server {{ listen 127.0.0.1:{port}; }}\n    server {{", 1))
        assert running.nginx_accepts()
        with running.nothing_done():
            result = running.run("switch", "app_backend", f"127.0.0.1:{running.instance('2')}")
    assert result.code == 3
    assert f"bind() to 127.0.0.1:{port} failed (98: Address already in use)" in result.err
    assert running.version() == "1"


def switch_while_workers_die(stuck: Bench, count: int) -> tuple[int, str]:
    """Kill so many workers while a switch waits for its reload: others come in their place. Exit code and message."""
    with stuck.frozen():
        command = stuck.spawn("switch", "app_backend", f"127.0.0.1:{stuck.instance('2')}")
        assert eventually(lambda: "applying" in "".join(j.read_text() for j in stuck.journals))
        for worker in sorted(stuck.workers.active, key=lambda p: p.pid)[:count]:
            signals.send(worker, signals.KILL)
        assert eventually(lambda: len(stuck.workers.active) == 2 - count)
    _, err = command.communicate(timeout=LIMIT)
    return command.returncode, err


def test_a_worker_that_dies_meanwhile_is_no_proof(stuck: Bench) -> None:
    files = stuck.files()
    code, err = switch_while_workers_die(stuck, 1)
    assert code == 3, err
    assert 'limit_req "z" uses the "$request_uri" key' in err  # the reason, not that a worker died
    assert (stuck.files(), stuck.journals, stuck.version()) == (files, [], "1")


def test_all_workers_that_die_at_once_are_no_proof(stuck: Bench) -> None:
    files = stuck.files()
    code, err = switch_while_workers_die(stuck, 2)
    assert code in (3, 4), err  # nobody can tell the restored config from what runs when all are new
    assert (stuck.files(), stuck.version()) == (files, "1")


def test_every_one_of_many_workers_is_replaced(place: Bench) -> None:
    place.write(place.instance("1"), conf=CONF.replace("worker_processes 2", "worker_processes 24"))
    place.start()
    assert eventually(lambda: len(place.workers.active) == 24)
    before = place.workers.active
    result = place.run("switch", "app_backend", f"127.0.0.1:{place.instance('2')}")
    assert result.code == 0, result.err
    assert not before & place.workers.active
    assert place.version() == "2"


def test_a_hand_edit_that_nobody_loaded_is_shown_and_loaded(running: Bench) -> None:
    new = running.instance("2")
    text = running.pools.read_text()
    old = running.run("get", "app_backend").out.strip()
    running.loaded()
    running.pools.write_text(text.replace(f"server {old}", f"server 127.0.0.1:{new}"))
    shown = running.run("show")
    assert f"{running.pools} was changed after nginx last loaded it" in shown.err
    assert running.run("show", "--json").json["proxies"][0]["changed_since_load"] == [str(running.pools)]
    assert running.version() == "1"
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--json")
    assert (result.code, result.json["changed"]) == (0, True), result.err
    assert running.version() == "2"
    assert running.run("show").err == ""
    again = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--json")
    assert (again.code, again.json["changed"]) == (0, False)


def test_a_switch_tells_which_other_edit_it_makes_live(running: Bench) -> None:
    new = running.instance("2")
    running.loaded()
    running.conf.write_text(running.conf.read_text() + "# by hand\n")
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}")
    assert result.code == 0
    assert f"warning: {running.conf} was changed after nginx last loaded it; this reload makes that live too" in result.err


def test_a_stale_pid_file_leads_to_no_other_process(running: Bench) -> None:
    master, stranger = running.master, running.started[-1]
    pidfile = running.folder / "nginx.pid"
    pidfile.write_text(f"{stranger.pid}\n")
    try:
        result = running.run("switch", "app_backend", f"127.0.0.1:{running.instance('2')}")
    finally:
        pidfile.write_text(f"{master.pid}\n")
    assert result.code == 0, result.err
    assert stranger.poll() is None
    assert running.version() == "2"


def test_the_test_of_the_config_uses_the_arguments_of_the_running_master(place: Bench) -> None:
    place.write(place.instance("1"))
    place.start("-g", "worker_rlimit_nofile 1000;")
    seen, wrapper = place.folder / "seen", place.folder / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nfor word; do echo "$word" >> {seen}; done\nexec /usr/sbin/nginx "$@"\n')
    wrapper.chmod(0o755)
    place.settings(f'[nginx]\nbinary = "{wrapper}"\n')
    assert place.run("switch", "app_backend", f"127.0.0.1:{place.instance('2')}").code == 0
    words = seen.read_text().splitlines()
    tested = words[words.index("-t") :]
    assert tested[tested.index("-p") + 1] == str(place.folder)
    assert tested[tested.index("-g") + 1] == "worker_rlimit_nofile 1000;"
    assert tested[tested.index("-e") + 1] == str(place.folder / "error.log")
    assert os.path.dirname(tested[tested.index("-c") + 1]) == str(place.folder)


def test_an_nginx_that_was_started_with_relative_names_is_found_by_its_config(place: Bench) -> None:
    place.write(place.instance("1"))
    place.checked([NGINX, "-p", ".", "-c", "nginx.conf", "-e", "error.log"])
    assert eventually(place.has_workers)
    result = place.run("switch", "app_backend", f"127.0.0.1:{place.instance('2')}")
    assert result.code == 0, result.err
    assert place.version() == "2"


def test_a_config_that_is_not_there_is_named(running: Bench) -> None:
    with running.nothing_done():
        result = running.run("switch", "app_backend", "127.0.0.1:3002", "--nginx-conf", "nginx/nginx.conf")
    assert result.code == 2
    assert f"{running.folder}/nginx/nginx.conf: no such config file" in result.err
