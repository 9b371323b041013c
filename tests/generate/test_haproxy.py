"""What is made for HAProxy: our lint finds nothing, HAProxy of three releases says nothing, and bad values are refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from proxyswitch.generate import check_haproxy
from proxyswitch.generate.kinds import load
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Options, Rejected
from proxyswitch.proxies.haproxy_stage import messages
from proxyswitch.settings_app import App, Health
from tests.conftest import FIXTURES
from tests.generate import matrix
from tests.generate.cases.haproxy import CASES, SHOP
from tests.generate.support import files
from tests.lint.helpers import in_config
from tests.load.tls import certificate

WHOLE = [name for name, words in CASES.items() if words.startswith("haproxy ")]
ALONE = [name for name in CASES if name not in WHOLE]


def made(words: str) -> str:
    (text,) = files(words).values()
    return text


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    cert, key = certificate(tmp_path_factory.mktemp("tls"))
    return cert.read_bytes(), key.read_bytes()


# lint


@pytest.mark.parametrize("name", CASES)
def test_the_lint_finds_nothing(name: str) -> None:
    assert in_config("haproxy", made(CASES[name])) == []


# HAProxy itself


def here(text: str, folder: Path, pem: tuple[bytes, bytes]) -> str:
    """The text with files that are there, certificates and a state file, and a host that is known."""
    for number, path in enumerate(re.findall(r"(?:server-state-file|crt|key) (/\S+)", text)):
        file = folder / f"{number}"
        file.write_bytes(b"1\n" if "state" in path else pem[1] if "privkey" in path else b"".join(pem))
        text = text.replace(path, str(file))
    return re.sub(r"\w+\.shop\.internal", "localhost", text)


@pytest.mark.parametrize("name", CASES)
def test_the_installed_haproxy_says_nothing(
    name: str, tmp_path: Path, pem: tuple[bytes, bytes], haproxy_binary: str
) -> None:
    """Cases for a newer one are made for the oldest, as far as that goes."""
    newer = r" --(haproxy|openssl)-version \S+| --key \S+| --log-format json"
    text = made(re.sub(newer, "", CASES[name]) + " --haproxy-version 2.6 --openssl-version 3.0")
    check = check_haproxy.main if name in WHOLE else check_haproxy.part
    file = Made(load("haproxy").parts[0], "/etc/haproxy/x.cfg", here(text, tmp_path, pem))
    assert check(file, Options(binary=haproxy_binary)) == ""


@pytest.mark.root
@pytest.mark.parametrize("suite", matrix.SUITES)
def test_haproxy_of_each_release_says_nothing(suite: str, tmp_path: Path, pem: tuple[bytes, bytes]) -> None:
    """Each case, made for that version where it is not for another."""
    root = matrix.copy(suite, tmp_path)
    version, openssl = root.version("haproxy"), root.openssl()
    numbers = tuple(map(int, version.split(".")))
    for name, words in CASES.items():
        wanted = tuple(map(int, (re.search(r"--haproxy-version (\S+)", words) or [""] * 2)[1].split(".")))
        if numbers < wanted and name == "haproxy-tls-modern":
            continue  # crt-store and JSON
        text = made(
            re.sub(r" --(haproxy|openssl)-version \S+", "", words)
            + f" --haproxy-version {version} --openssl-version {openssl}"
        )
        put(root, text, pem)
        around = ["-f", "/around.cfg"] if name in ALONE else []
        done = root.run("haproxy", "-c", *around, "-f", "/made.cfg")
        assert (done.returncode, list(messages(done.stderr))) == (0, []), (name, done.stderr)


def put(root: matrix.Root, text: str, pem: tuple[bytes, bytes]) -> None:
    """The text at its place, with what it names."""
    root.put("/etc/passwd", "root:x:0:0::/:/bin/sh\nhaproxy:x:99:99::/:/bin/sh\n")
    root.put("/etc/group", "root:x:0:\nhaproxy:x:99:\n")
    root.put("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    root.put("/etc/hosts", "127.0.0.1 blue.shop.internal green.shop.internal\n")
    root.put("/around.cfg", check_haproxy.AROUND)
    root.put("/made.cfg", text)
    root.put("/var/lib/haproxy/servers.state", "1\n")
    root.put("/etc/haproxy/shop.pem", b"".join(pem))
    for name, data in zip(("fullchain", "privkey"), pem, strict=True):
        root.put(f"/etc/letsencrypt/live/shop.example.com/{name}.pem", data)


@pytest.mark.root
def test_what_is_for_a_newer_one_an_older_one_refuses(tmp_path: Path, pem: tuple[bytes, bytes]) -> None:
    """So the versions matter: the new curve and the names of a newer HAProxy."""
    root = matrix.copy("bookworm", tmp_path)
    for name in ("haproxy-tls", "haproxy-tls-modern"):
        put(root, made(CASES[name]), pem)
        assert root.run("haproxy", "-c", "-f", "/made.cfg").returncode != 0


# our check


def judged(text: str, haproxy_binary: str, check: str = "haproxy-main") -> str:
    kind = load("haproxy" if check == "haproxy-main" else "haproxy-backend")
    file = Made(kind.parts[0], "/etc/haproxy/mine.cfg", text)
    return (check_haproxy.main if check == "haproxy-main" else check_haproxy.part)(file, Options(binary=haproxy_binary))


def test_a_refusal_names_the_persons_file_and_line(haproxy_binary: str) -> None:
    text = made(f"{CASES['haproxy-private']}").replace("    mode http\n", "    mode htpp\n", 1)
    with pytest.raises(Rejected, match="unknown proxy mode 'htpp'") as error:
        judged(text, haproxy_binary)
    assert (error.value.path, error.value.line) == ("/etc/haproxy/mine.cfg", 1 + text[: text.index("htpp")].count("\n"))


def test_an_alert_that_does_not_change_the_exit_status_is_a_refusal(haproxy_binary: str) -> None:
    file = FIXTURES / "haproxy" / "alert.cfg"
    assert subprocess.run([haproxy_binary, "-c", "-f", str(file)], check=False, capture_output=True).returncode == 0
    with pytest.raises(Rejected, match="implicitly used here"):
        judged(file.read_text(), haproxy_binary)


def test_a_warning_is_told(haproxy_binary: str, tmp_path: Path) -> None:
    state = tmp_path / "none.state"
    text = made(f"haproxy {SHOP} --state-file {state}")
    assert judged(text, haproxy_binary).startswith("HAProxy warns: ")
    state.write_text("1\n")
    assert judged(text, haproxy_binary) == ""


def test_a_backend_alone_is_tested_with_a_frontend(haproxy_binary: str) -> None:
    text = made(CASES["haproxy-backend"])
    assert judged(text, haproxy_binary, "haproxy-part") == ""
    with pytest.raises(Rejected, match="chekc"):
        judged(text.replace("server check", "server chekc"), haproxy_binary, "haproxy-part")


def test_without_haproxy_nothing_is_tested_and_that_is_said() -> None:
    assert "did not test it" in judged("", "/nowhere/haproxy")


# the settings


def test_what_the_settings_know_of_an_app() -> None:
    health = Health(url="http://{address}/up?x=1", status=[200, 204], host="shop.example.com")
    app = App(slots={"a": "127.0.0.1:1", "b": "unix:/b.sock"}, pool="haproxy:shop_pool", health=health)
    assert load("haproxy").of_app("shop", app) == {
        "name": "shop",
        "pool": "shop_pool",
        "blue": "127.0.0.1:1",
        "green": "unix:/b.sock",
        "health": "/up?x=1",
        "health_host": "shop.example.com",
        "health_status": "200,204",
    }


@pytest.mark.parametrize("url", ["http://{address}/{version}/up", "tcp://{address}"])
def test_a_health_url_that_says_nothing_to_haproxy(url: str) -> None:
    assert "health" not in load("haproxy").of_app("shop", App(slots={}, health=Health(url=url)))


# options


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("--bind ::", ["bind [::]:80 v4v6"]),
        ("--bind ::1 --port 81", ["bind [::1]:81"]),
        ("--bind 192.0.2.1", ["bind 192.0.2.1:80"]),
        ("--chroot /var/empty", ["chroot /var/empty"]),
        ("--log 127.0.0.1:514", ["log 127.0.0.1:514 local0 info"]),
        ("--log /dev/log", ["log /dev/log local0 info"]),
        ("--drain 90s", ["hard-stop-after 90s"]),
        ("--slowstart 0", ["default-server check inter 2s fall 3 rise 2 init-addr last,libc,none"]),
        ("--blue app.internal:80", ["server blue app.internal:80", "parse-resolv-conf"]),
        ("--cert '/etc/my certs/a.pem'", ['bind :443 ssl crt "/etc/my certs/a.pem" alpn h2,http/1.1']),
    ],
)
def test_what_options_say(words: str, lines: list[str]) -> None:
    text = made(f"haproxy {SHOP} --haproxy-version 2.6 {words}")
    found = [line.split("  #")[0].strip() for line in text.splitlines()]
    assert [line for line in lines if line not in found] == []
    assert in_config("haproxy", text) == []


def test_hsts_is_for_those_who_ask() -> None:
    words = f"haproxy {SHOP} --cert /a.pem --haproxy-version 2.6"
    assert "Strict-Transport-Security" not in made(words)
    assert "Strict-Transport-Security max-age=63072000" in made(f"{words} --hsts")


def test_the_new_curve_is_for_an_openssl_that_knows_it() -> None:
    words = f"haproxy {SHOP} --cert /a.pem --haproxy-version 3.2"
    assert "MLKEM" not in made(f"{words} --openssl-version 3.4")
    assert "curves X25519MLKEM768:" in made(f"{words} --openssl-version 3.5")
