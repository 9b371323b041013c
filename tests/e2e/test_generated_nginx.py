"""Sites of nginx that generate made: they serve, and the commands work on them as they are."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.system import proc
from proxyswitch.system.clock import now
from tests.e2e.clients import UPGRADE, raw
from tests.e2e.generated_nginx import POOL, Site, site
from tests.e2e.shop import Shop
from tests.e2e.support import CONF, eventually
from tests.generate import matrix
from tests.generate.matrix import Root
from tests.generate.support import files
from tests.load.mixed import Mixed
from tests.load.tls import certificate
from tests.ports import free_port

CONF_ALONE = CONF.replace("pools.conf", "shop-upstream.conf").replace(
    "        location / {{\n            proxy_pass http://app_backend;\n",
    "        include shop-server.conf;\n        location / {{\n            include shop-location.conf;\n",
)


@pytest.fixture
def blank(nginx_binary: str) -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.fixture
def shop(blank: Site) -> Site:
    """In instant mode, over plain HTTP."""
    blank.make("--max-body", "64K", "--status-port", str(blank.status), "--flags", str(blank.state / "flags" / POOL))
    return blank


def test_it_serves_blue_without_a_flag_folder(shop: Site) -> None:
    assert not shop.state.joinpath("flags").exists()
    assert shop.versions() == {"1"}
    assert shop.run("get", POOL).out == f"127.0.0.1:{shop.blue}\n"
    assert shop.ask("/health").headers["X-Version"] == "1"
    told = shop.run("doctor")
    assert (told.code, f"next: set it again: proxyswitch switch {POOL} blue, or green" in told.out) == (1, True)
    assert shop.run("switch", POOL, "blue").code == 0
    assert shop.run("doctor").code == 0


def test_the_first_switch_makes_the_flag_where_the_workers_see_it(shop: Site) -> None:
    workers = shop.workers.active
    before = os.umask(0o077)
    try:
        result = shop.run("switch", POOL, "green", "--drain", "20s")
    finally:
        os.umask(before)
    assert result.code == 0, result.err
    assert f"{POOL}: blue → green (instant, " in result.out
    assert shop.versions() == {"2"}
    assert shop.workers.active == workers


def test_what_an_app_and_a_person_ask_of_a_site(shop: Site) -> None:
    assert shop.ask("/upload", "POST", b"x" * 65536).body == "65536\n"
    assert shop.ask("/upload", "POST", b"x" * 65537).status == 413
    with raw(shop) as client:
        client.send(UPGRADE)
        assert client.head()[0] == "HTTP/1.1 101 Switching Protocols"
        assert client.echo("hello") == "hello"
    answer = shop.ask("/", User_Agent='a "quoted" \\ ü'.encode().decode("latin-1"))
    assert "nginx/" not in answer.headers["Server"]
    assert eventually(lambda: len(shop.log_lines()) == 4)
    lines = {
        (line["uri"], line["status"]): line for line in shop.log_lines()
    }  # each worker writes its own when it gets to it
    assert lines["/upload", "200"]["upstream"] == f"127.0.0.1:{shop.blue}"
    assert lines["/upload", "413"]["upstream"] == ""
    assert lines["/", "200"]["agent"] == 'a "quoted" \\ ü'
    assert "101" in {status for _, status in lines}
    shop.ask("/health")
    assert len(shop.log_lines()) == 4


def test_the_state_of_nginx_is_told_on_loopback_alone(shop: Site) -> None:
    public, shop.port = shop.port, shop.status
    assert "Active connections" in shop.ask("/nginx_status").body
    assert shop.ask("/").status == 404
    shop.port = public
    assert shop.ask("/nginx_status").status == 404


def test_maintenance_show_canary_and_doctor(shop: Site) -> None:
    result = shop.run("maintenance", POOL, "on", "--retry-after", "2m")
    assert result.code == 0, result.err
    for path in ("/", "/health", "/other?a=%20b"):
        answer = shop.ask(path)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "120")
    assert "maintenance" in shop.run("show").out + shop.run("show").err
    assert shop.run("maintenance", POOL, "off").code == 0
    assert shop.ask("/other").status == 404
    result = shop.run("canary", POOL, "50%")
    assert result.code == 0, result.err
    assert "blue 50 %, green 50 %" in result.out
    assert shop.run("canary", POOL, "100%").code == 0
    told = shop.run("doctor", "--probe", f"http://127.0.0.1:{shop.port}")
    assert f"a request to http://127.0.0.1:{shop.port}/.proxyswitch/{POOL}.check sees the flag" in told.out
    assert f"pool {POOL}: instant mode, green serves" in told.out


def test_those_who_are_let_in_see_the_path_that_they_asked_for(shop: Site) -> None:
    assert shop.run("maintenance", POOL, "on", "--allow", "127.0.0.1").code == 0
    assert shop.ask("/slow?seconds=0").body.startswith("hello")
    shop.ask("/a%2Fb?c=%20")
    assert eventually(lambda: shop.log_lines()[-1]["uri"] == "/a%2Fb?c=%20")  # it is written once the answer is out


@pytest.fixture
def secure(blank: Site) -> Site:
    blank.make(*blank.tls_words(), "--no-redirect", "--hsts", "300", "--tries", str(blank.folder / "tries.log"))
    return blank


def test_ten_switches_under_load_lose_nothing(secure: Site) -> None:
    """After the last two the old version is stopped."""
    with Mixed(Endpoint("127.0.0.1", secure.port), Endpoint("127.0.0.1", secure.tls), long_seconds=0.3) as load:
        for slot in ("green", "blue") * 4:
            turn(secure, load, slot, {"blue": "1", "green": "2"}[slot])
        turn(secure, load, "green", "2", "--drain", "20s")
        stop(secure, 0)
        secure.app("3", secure.blue)
        turn(secure, load, "blue", "3", "--drain", "20s")
        stop(secure, 0)
        assert load.running
    assert not any(load.records.failures.values()), load.records.errors
    assert load.records.reused_closed == 0
    for name in ("http busy", "https websocket", "h2 upload"):
        assert load.records.kinds(name)["ok"]


def test_an_upload_whose_side_is_stopped_ends_at_the_other(shop: Site) -> None:
    """It was meant for blue when it began; nginx connects when all of it is there."""
    with raw(shop) as client:
        client.send("POST /upload HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 6\r\n\r\nabc")
        assert shop.versions() == {"1"}  # so that nginx has read the head of that one before
        assert shop.run("switch", POOL, "green", "--drain", "20s").code == 0
        stop(shop, 0)
        client.send("def")
        head = client.head()
        assert (head[0], "X-Version: 2" in head) == ("HTTP/1.1 200 OK", True)


def turn(place: Site, load: Mixed, slot: str, version: str, *words: str) -> None:
    """Switch, and wait until that version answers."""
    begun = now()
    result = place.run("switch", POOL, slot, *words)
    assert result.code == 0, result.err
    assert eventually(lambda: (load.records.last(version) or 0) > begun)


def stop(place: Site, number: int) -> None:
    """At once, as an app is stopped that is drained."""
    child = place.started.pop(number)
    child.kill()
    child.wait()


def test_tls(secure: Site) -> None:
    assert secure.protocols() == ("TLSv1.3", "h2")
    answer = secure.ask_tls("/health")
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=300")
    assert secure.run("maintenance", POOL, "on").code == 0
    answer = secure.ask_tls("/")
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (503, "max-age=300")


def test_the_log_of_tries_is_one_that_a_canary_is_judged_by(secure: Site) -> None:
    result = secure.run("canary", POOL, "20%")
    assert (result.code, "no log of its tries" in result.err) == (0, False), result.err
    assert secure.versions(3)
    assert eventually(lambda: "3 requests of clients" in secure.run("canary", POOL).err)


def test_plain_http_leads_to_https(blank: Site) -> None:
    blank.make(*blank.tls_words())
    answer = blank.ask("/a?b=1")
    assert (answer.status, answer.headers["Location"]) == (301, f"https://shop.test:{blank.tls}/a?b=1")
    assert blank.ask_tls("/").status == 200


def test_in_reload_mode_a_switch_is_a_reload_and_a_page_closes_the_site(blank: Site) -> None:
    blank.make("--mode", "reload")
    assert blank.versions() == {"1"}
    result = blank.run("switch", POOL, f"127.0.0.1:{blank.green}", "--drain", "20s")
    assert result.code == 0, result.err
    assert f"127.0.0.1:{blank.blue} → 127.0.0.1:{blank.green} (reload, " in result.out
    assert blank.versions() == {"2"}
    page = blank.folder / "shop-maintenance.html"
    page.write_text("<p>soon</p>")
    for path, method in (("/", "GET"), ("/health", "GET"), ("/upload", "POST")):
        answer = blank.ask(path, method)
        assert (answer.status, answer.headers["Retry-After"], answer.body) == (503, "120", "<p>soon</p>")
    page.unlink()
    assert blank.ask("/").status == 200
    refused = blank.run("maintenance", POOL, "on")
    assert (refused.code, "is not in instant mode" in refused.err) == (2, True)


def test_a_site_in_reload_mode_can_be_adopted(blank: Site) -> None:
    blank.make("--mode", "reload")
    result = blank.run("adopt", POOL, "--yes", "--flags", str(blank.folder / "flags"))
    assert result.code == 0, result.err
    assert blank.run("switch", POOL, "green").code == 0
    assert blank.versions() == {"2"}


def test_the_client_behind_a_trusted_proxy(blank: Site) -> None:
    with unix_app(blank.folder / "blue.sock"):
        green = f"[::1]:{free_port()}"
        blank.generate("--blue", f"unix:{blank.folder}/blue.sock", "--green", green, "--trust", "127.0.0.0/8")
        blank.start()
        answer = blank.ask(X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="https")
        assert answer.body == "192.0.2.7 https shop.test"
        assert eventually(lambda: [line["client"] for line in blank.log_lines()] == ["192.0.2.7"])
        blank.app("2", Endpoint.parse(green).port, "::1")
        assert blank.run("switch", POOL, green).code == 0
        assert blank.versions() == {"2"}


def test_what_others_say_of_the_client_does_not_count(blank: Site) -> None:
    with unix_app(blank.folder / "blue.sock"):
        blank.generate("--blue", f"unix:{blank.folder}/blue.sock", "--green", "127.0.0.1:9", "--trust", "192.0.2.0/24")
        blank.start()
        assert blank.ask(X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="https").body == "127.0.0.1 http shop.test"


@contextmanager
def unix_app(path: Path) -> Iterator[None]:
    """An app on a unix socket that says who asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = self.headers
            text = " ".join(headers[name].split(":")[0] for name in ("X-Real-IP", "X-Forwarded-Proto", "Host")).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None: ...

    with UnixStreamServer(str(path), Handler) as server:
        path.chmod(0o777)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_an_app_of_the_settings_is_released_through_its_site(blank: Site) -> None:
    """All that the settings know is taken from there; nothing is left to be done by hand."""
    web = Shop(blank)
    try:
        web.configure()
        blank.generate("--app", "web")
        blank.start()
        assert web.run("start", "web:blue", "--version", "1").code == 0
        for version in ("2", "3"):
            assert web.deploy(version, "--json").json["mode"] == "instant"
            assert blank.versions() == {version}
        told = blank.run("doctor")
        assert told.code == 0, told.out
        assert "app web: pool app_backend at " in told.out
        assert blank.ask("/health").status == 200
    finally:
        web.close()


@pytest.mark.root
def test_an_ordinary_user_runs_such_a_nginx(blank: Site) -> None:
    blank.blue, blank.green = blank.app("1", free_port()), blank.app("2", free_port())
    blank.generate()
    blank.user = "www-data"
    blank.own()
    blank.start()
    user = pwd.getpwnam("www-data")
    assert (proc.credentials(blank.master.pid) or ())[:2] == (user.pw_uid, user.pw_gid)
    assert blank.versions() == {"1"}
    blank.user = ""
    assert blank.run("switch", POOL, "green").code == 0
    assert blank.versions() == {"2"}


def test_a_pool_alone_in_a_site_that_exists(blank: Site) -> None:
    """Two lines in the person's own site, and it is in instant mode."""
    blank.blue, blank.green = blank.app("1", free_port()), blank.app("2", free_port())
    blank.write(0, CONF_ALONE)
    slots = ["--blue", f"127.0.0.1:{blank.blue}", "--green", f"127.0.0.1:{blank.green}"]
    words = ["--name", "shop", *slots, "--mode", "instant", "--flags", f"{blank.folder}/flags"]
    done = blank.run("generate", "nginx-upstream", *words, "--write", "--output", f"{blank.folder}/")
    assert (done.code, "warning" in done.err) == (0, False), done.err
    blank.start()
    assert blank.versions() == {"1"}
    assert blank.run("switch", POOL, "green").code == 0
    assert blank.versions() == {"2"}
    assert blank.run("maintenance", POOL, "on").code == 0
    assert blank.ask().status == 503
    assert blank.run("maintenance", POOL, "off").code == 0
    assert blank.ask("/slow?seconds=0&a=%2F").body.startswith("hello from version 2")


@pytest.mark.root
@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_newer_nginx_serve_what_is_made_for_them(suite: str, tmp_path: Path) -> None:
    """Run in a folder of that release: HTTP/2 by its own directive, and the curves of its OpenSSL."""
    root = matrix.copy(suite, tmp_path)
    place = Site(root.folder / "srv/shop")
    place.folder.mkdir(parents=True)
    try:
        certificate(place.folder)
        place.blue, place.green = place.app("1", free_port()), place.app("2", free_port())
        root.put("/srv/shop/nginx.conf", made_for(root, place))
        done = root.run("nginx", "-e", "/srv/shop/error.log", "-c", "/srv/shop/nginx.conf")
        assert done.returncode == 0, done.stderr
        assert eventually(place.has_workers)
        assert place.protocols() == ("TLSv1.3", "h2")
        assert place.ask_tls("/").headers["X-Version"] == "1"
        assert place.ask("/").status == 301
    finally:
        place.stop()


def made_for(root: Root, place: Site) -> str:
    slots = f"--blue 127.0.0.1:{place.blue} --green 127.0.0.1:{place.green}"
    tls = "--certificate /srv/shop/cert.pem --certificate-key /srv/shop/key.pem --tls modern"
    ports = f"--listen 127.0.0.1 --http-port {place.port} --https-port {place.tls}"
    versions = f"--nginx-version {root.version('nginx')} --openssl-version {root.openssl()}"
    words = (
        f"nginx-site --name shop --domain shop.test {slots} {tls} {ports} --whole --run-dir /srv/shop --workers 2 {versions}"
    )
    text = files(words)["nginx.conf"]
    assert ("http2 on;" in text, "X25519MLKEM768" in text) == (True, True)
    return text
