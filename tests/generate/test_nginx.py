"""What is made for nginx: the nginx of each version takes it, and the lint has nothing to say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxyswitch.conf.nginx import chain, instant
from proxyswitch.errors import UsageError
from proxyswitch.generate.kinds import load
from proxyswitch.generate.value import resolve
from proxyswitch.generate.versions import Versions
from tests.generate import matrix, nginx_support
from tests.generate.cases.nginx import CASES, SLOTS, TLS
from tests.generate.matrix import Root
from tests.generate.support import files, generate
from tests.lint.helpers import in_config, nginx_folder
from tests.nginx_check import Nginx, make_certificate

SITE = f"nginx-site --name shop --domain shop.example.com {SLOTS} --nginx-version 1.22"
UPSTREAM = f"nginx-upstream --name shop {SLOTS} --nginx-version 1.22"

EVERYWHERE = [name for name, words in CASES.items() if "--resolver" not in words]
PLAIN_POOLS = ("nginx-upstream", "nginx-upstream-names")


@pytest.fixture(scope="module", params=matrix.SUITES)
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A release of Debian with what the cases name."""
    found = matrix.copy(request.param, tmp_path_factory.mktemp("matrix"))
    make_certificate(found.folder / "etc/ssl/shop")
    found.put("/etc/hosts", "127.0.0.1 localhost web-blue web-green\n")
    (found.folder / "srv/shop").mkdir(parents=True)
    return found


@pytest.mark.root
@pytest.mark.parametrize("name", EVERYWHERE)
def test_nginx_of_each_release_takes_it(name: str, root: Root) -> None:
    for file in (*(root.folder / "etc/nginx").glob("conf.d/*"), *(root.folder / "etc/nginx").glob("snippets/*")):
        file.unlink()
    for path, text in nginx_support.of_case(name, root.version("nginx"), root.openssl()).items():
        root.put(f"/etc/nginx/{path}", text)
    done = root.run("nginx", "-t")
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


@pytest.mark.root
def test_names_are_looked_up_again_where_nginx_can(root: Root) -> None:
    """Names that nobody knows: nginx starts all the same, and asks again. An older one is refused before it is asked."""
    words = "nginx-upstream --name shop --blue blue.invalid:3000 --green green.invalid:3000 --resolver 127.0.0.53"
    text = f"{words} --nginx-version {root.version('nginx')}"
    if tuple(map(int, root.version("nginx").split("."))) < (1, 27, 3):
        with pytest.raises(UsageError, match=r"--resolver needs nginx 1\.27\.3"):
            files(text)
        return
    root.put("/etc/nginx/nginx.conf", "events {}\nhttp {\n    include names.conf;\n}\n")
    root.put("/etc/nginx/names.conf", files(text)["shop-upstream.conf"])
    done = root.run("nginx", "-t")
    assert (done.returncode, "[warn]" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("name", EVERYWHERE)
def test_the_installed_nginx_takes_what_is_made_without_a_version(name: str, tmp_path: Path, nginx_binary: str) -> None:
    make_certificate(tmp_path / "ssl")
    (tmp_path / "log").mkdir()
    places = {"/etc/ssl/shop": "ssl", "/var/log/nginx": "log", "/srv/shop": "log", "/run/nginx.pid": "log/pid"}
    main = nginx_support.write(tmp_path, nginx_support.of_case(name))
    for file in tmp_path.rglob("*.conf"):
        text = re.sub("|".join(places), lambda match: f"{tmp_path}/{places[match[0]]}", file.read_text())
        text = re.sub(r"(listen (?:\S+:)?)(80|443)\b", r"\g<1>2\g<2>4", text)  # which an ordinary user may have
        file.write_text(re.sub(r"web-(blue|green)", "localhost", text))
    pid = "" if re.search("^pid ", main.read_text(), re.M) else f"pid {tmp_path}/pid;"
    done = Nginx(nginx_binary, pid).test(main)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", CASES)
def test_the_lint_finds_nothing(name: str, tmp_path: Path) -> None:
    """Neither in the file alone, nor in the config that uses it."""
    texts = nginx_support.of_case(name, *_versions(name))
    assert nginx_folder(tmp_path, texts) == []
    made = files(CASES[name])
    assert [found for text in made.values() for found in in_config("nginx", text)] == []


def _versions(name: str) -> list[str]:
    found = (re.search(rf"--{one}-version (\S+)", CASES[name]) for one in ("nginx", "openssl"))
    return [match[1] if match else "" for match in found]


@pytest.mark.parametrize("name", [name for name in CASES if "reload" not in name and name not in PLAIN_POOLS])
def test_a_pool_in_instant_mode_is_found_as_one(name: str, tmp_path: Path) -> None:
    texts = nginx_support.of_case(name, *_versions(name))
    (found,) = instant.find(chain.load(str(nginx_support.write(tmp_path, texts))))
    slots = {slot: [line.server.address for line in found.lines(slot)] for slot in instant.SLOTS}
    words = CASES[name].split()
    assert slots == {slot: [words[words.index(f"--{slot}") + 1]] for slot in instant.SLOTS}
    assert found.name == "shop_backend"


def said(words: str) -> str:
    """The text, without the head that repeats the command."""
    return generate(words).partition("--diff\n")[2]


# what follows the version


@pytest.mark.parametrize(
    ("version", "has", "lacks"),
    [
        ("1.22", ["ssl http2;", "ssl_session_tickets off;"], ["http2 on;", "keepalive_min_timeout", "MLKEM"]),
        ("1.25.0", ["ssl http2;"], ["http2 on;", "ssl_session_tickets"]),
        ("1.25.1", ["http2 on;"], ["ssl http2;", "keepalive_min_timeout"]),
        ("1.27.3", ["http2 on;"], ["keepalive_min_timeout"]),
        ("1.27.4", ["keepalive_min_timeout 2s;"], []),
    ],
)
def test_each_version_gets_what_it_understands(version: str, has: list[str], lacks: list[str]) -> None:
    text = said(f"{SITE} {TLS} --nginx-version {version} --openssl-version 3.4")
    assert [word for word in has if word not in text] == []
    assert [word for word in lacks if word in text] == []


def test_the_curves_follow_openssl() -> None:
    assert "ssl_ecdh_curve X25519MLKEM768:X25519:" in said(f"{SITE} {TLS} --openssl-version 3.5")
    assert "ssl_ecdh_curve X25519:" in said(f"{SITE} {TLS} --openssl-version 3.4")


def test_tls_is_there_with_a_certificate_only() -> None:
    assert "ssl" not in said(SITE)
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in said(f"{SITE} {TLS}")
    modern = said(f"{SITE} {TLS} --tls modern")
    assert "ssl_protocols TLSv1.3;" in modern
    assert "ssl_ciphers" not in modern


@pytest.mark.parametrize("name", EVERYWHERE)
def test_all_variables_of_the_templates_are_told(name: str) -> None:
    words = CASES[name].split()
    kind = load(words[0])
    given = {value.key: words[words.index(value.option) + 1] for value in kind.values if value.option in words}
    given = {key: text for key, text in given.items() if not text.startswith("--")}
    if "--whole" in words:
        given["whole"] = "yes"
    told = set(kind.variables)
    made = kind.more(resolve(kind.values, given), Versions())
    assert set(made) <= told
    if "instant" in name or (kind.name == "nginx-site" and "reload" not in name):
        assert set(made) == told


# what is refused


@pytest.mark.parametrize("bad", ["a\nb", "a{b", "a;b", 'a"b', "a'b", "a b", "$a", "a}b", "a#b", "a\\b", "-a", "ä"])
@pytest.mark.parametrize(
    "option", ["--name", "--pool", "--domain", "--blue", "--certificate", "--tries", "--user", "--trust"]
)
def test_what_could_break_out_is_refused(option: str, bad: str) -> None:
    for kind in (SITE, UPSTREAM) if option in ("--name", "--pool", "--blue") else (SITE,):
        with pytest.raises(UsageError, match=rf"^{option}: "):
            generate(kind, option, bad)


@pytest.mark.parametrize(
    ("option", "bad"),
    [
        *(("--flags", bad) for bad in ("flags", "/a/../b", "/a b", "/a;b", "/a\nb", "/$a", '/a"', "/a//b")),
        *(("--tries", bad) for bad in ("/a b", "tries.log", "/a;")),
        *(("--run-dir", bad) for bad in ("run", "/a b", "/a{", "/.", "/")),
        *(("--maintenance-page", bad) for bad in ("page.html", "/a b", "/a)", "/a$b")),
        *(("--certificate", bad) for bad in ("/a\nb", "/a;b", "/a'b", '/a"', "/a{", "cert.pem")),
        *(("--access-log", bad) for bad in ("on", "syslog:server=a", "/a$b", "/a\nb")),
        *(
            ("--blue", bad)
            for bad in ("127.0.0.1", "3001", "unix:app.sock", "unix:/a;b", "::1:80", "a:70000", "unix:/a\x0bb")
        ),
        *(("--domain", bad) for bad in ("a_b", "*", "a.*", "shöp.de", "a..b", "~^a$")),
        *(("--health", bad) for bad in ("health", "/a b", "/a;b", "/a{", "/a\n", '/a"')),
        *(("--listen", bad) for bad in ("localhost", "127.0.0.1:80", "*", "fe80::1%eth0")),
        *(("--resolver", bad) for bad in ("dns.example", "127.0.0.1:53", "::1;", "a b")),
        *(("--trust", bad) for bad in ("10.0.0.1/8", "all", "10.0.0.0/33")),
        *(("--real-ip-header", bad) for bad in ("X Forwarded", "X:", "X;")),
        *(("--sticky", bad) for bad in ("sid", "cookie:", "cookie:a-b", "cookie:a;b", "$cookie_a", "variable:1")),
        *(("--mode", bad) for bad in ("plain", "Instant", "")[:2]),
        *(("--tls", bad) for bad in ("old", "on")),
        *(("--http-port", bad) for bad in ("0", "65536", "http", "80;")),
        *(("--max-body", bad) for bad in ("10 M", "-1", "10X", "1m;")),
        *(("--read-timeout", bad) for bad in ("5 m", "-1", "5m;")),
        *(("--keepalive", bad) for bad in ("0", "x", "10001")),
    ],
)
def test_rubbish_is_refused(option: str, bad: str) -> None:
    with pytest.raises(UsageError, match=rf"^{option}: "):
        generate(SITE, option, bad)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--tls intermediate", "--certificate is missing"),
        ("--tls modern --certificate-key /k.pem", "--certificate is missing"),
        ("--certificate /c.pem", "--certificate-key is missing"),
        ("--certificate-key /k.pem", "--certificate-key is for a site with TLS"),
        (f"{TLS} --tls off", "--certificate is for a site with TLS"),
        ("--redirect", "--redirect is for a site with TLS"),
        ("--http2", "--http2 is for a site with TLS"),
        ("--hsts 300", "--hsts is for a site with TLS"),
        (f"{TLS} --https-port 80", "--https-port: 80 is the port of HTTP too"),
        ("--status-port 80", "--status-port: the site listens on 80 already"),
        (f"{TLS} --status-port 443", "--status-port: the site listens on 443 already"),
        ("--listen ::1 --listen 0::1", "--listen: an address is given twice"),
        ("--green 127.0.0.1:3001", "--green: it is the address of --blue"),
        ("--mode reload --flags /a", "--flags is for --mode instant"),
        ("--mode reload --sticky cookie:a", "--sticky is for --mode instant"),
        ("--mode reload --tries /a", "--tries is for --mode instant"),
        ("--maintenance-page /a.html", "--maintenance-page is for --mode reload"),
        ("--run-dir /a", "--run-dir is for --whole"),
        ("--user www-data", "--user is for --whole"),
        ("--workers 2", "--workers is for --whole"),
        ("--connections 512", "--connections is for --whole"),
        ("--error-log /a.log", "--error-log is for --whole"),
        ("--read-timeout 0s", "--read-timeout: nothing"),
        ("--connect-timeout 0.1ms", "--connect-timeout: nothing"),
        ("--run-dir /a --error-log /b.log", "--run-dir is for --whole"),
        ("--health /a%20b", "--health: '/a%20b'"),
        ("--health /a?b=1", "--health: '/a?b=1'"),
    ],
)
def test_what_does_not_go_together_is_refused(words: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        generate(f"{SITE} {words}")
    assert str(caught.value).startswith(f"generate nginx-site: {named}")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--green 127.0.0.1:3001", "--green: it is the address"),
        ("--flags /a", "--flags is for"),
        ("--sticky cookie:a", "--sticky"),
        ("--resolver ::1", "--resolver: there is no name"),
        ("--mode instant --resolver ::1", "--resolver is for --mode reload"),
    ],
)
def test_the_same_for_a_pool_alone(words: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        generate(f"{UPSTREAM} {words}")
