"""nginx judges what was made before it is written: together with all that the person has, where that will include it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from proxyswitch.generate import check_nginx
from proxyswitch.proxies.base import Rejected
from tests.generate.cases.nginx import SLOTS
from tests.generate.support import generate

MAIN = """\
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    include conf.d/*.conf;
}}
"""


class Etc(NamedTuple):
    """A person's folder of nginx."""

    folder: Path

    @property
    def main(self) -> Path:
        return self.folder / "nginx.conf"

    def put(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def upstream(self, *words: str, where: str = "conf.d/") -> str:
        command = f"nginx-upstream --name shop {SLOTS} --write"
        return generate(command, "--output", f"{self.folder}/{where}", "--nginx-conf", str(self.main), *words)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.suffix == ".conf"}


@pytest.fixture
def etc(tmp_path: Path, nginx_binary: str, monkeypatch: pytest.MonkeyPatch) -> Etc:
    monkeypatch.setenv("PROXYSWITCH_STATE", str(tmp_path / "state"))
    folder = tmp_path / "etc"
    (folder / "made").mkdir(parents=True)
    (folder / "conf.d").mkdir(parents=True)
    made = Etc(folder)
    made.put("nginx.conf", MAIN.format(folder=tmp_path))
    assert nginx_binary
    return made


SHOP = "upstream other { server 127.0.0.1:1; }\nupstream shop_backend { server 127.0.0.1:2; }\n"


def test_it_is_written_when_nginx_takes_it_with_the_rest(etc: Etc, capsys: pytest.CaptureFixture[str]) -> None:
    etc.put("conf.d/other.conf", SHOP.splitlines()[0])
    etc.upstream()
    assert etc.files() == {"nginx.conf", "conf.d/other.conf", "conf.d/shop-upstream.conf"}
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(("name", "path", "line"), [("a.conf", "shop-upstream.conf", 4), ("z.conf", "z.conf", 2)])
def test_a_pool_of_that_name_is_refused_where_nginx_finds_it(etc: Etc, name: str, path: str, line: int) -> None:
    """In the file that is read last; nothing is written."""
    etc.put(f"conf.d/{name}", SHOP)
    with pytest.raises(Rejected, match='nginx refuses the config: duplicate upstream "shop_backend"') as caught:
        etc.upstream()
    assert (caught.value.path, caught.value.line) == (f"{etc.folder}/conf.d/{path}", line)
    assert etc.files() == {"nginx.conf", f"conf.d/{name}"}


def test_a_file_that_is_there_is_tested_as_it_will_be(etc: Etc) -> None:
    etc.upstream()
    etc.upstream("--keepalive", "32")
    assert "keepalive 32;" in (etc.folder / "conf.d/shop-upstream.conf").read_text()


def test_over_a_link_and_from_a_folder_that_is_one(etc: Etc) -> None:
    etc.put("sites/shop.conf", SHOP)
    (etc.folder / "conf.d/shop-upstream.conf").symlink_to(etc.folder / "sites/shop.conf")
    (etc.folder / "linked").symlink_to(etc.folder / "conf.d")
    etc.upstream("--force", where="linked/")
    assert "127.0.0.1:3002 down" in (etc.folder / "sites/shop.conf").read_text()


def test_what_is_included_by_nothing_is_tested_alone(etc: Etc, capsys: pytest.CaptureFixture[str]) -> None:
    etc.put("conf.d/shop.conf", SHOP)
    (etc.folder / "conf.d/more").mkdir()
    etc.upstream(where="conf.d/more/")
    told = f"warning: {etc.main} does not include {etc.folder}/conf.d/more/shop-upstream.conf: it was tested alone"
    assert told in capsys.readouterr().err
    assert "conf.d/more/shop-upstream.conf" in etc.files()


def test_alone_it_is_judged_too(etc: Etc) -> None:
    words = f"nginx-site --name shop --domain a.b {SLOTS} --certificate /nowhere/c.pem --certificate-key /nowhere/k.pem"
    with pytest.raises(Rejected, match="cannot load certificate") as caught:
        generate(f"{words} --write --output {etc.folder}/site.conf --nginx-conf {etc.main}")
    assert "No such file" in caught.value.what
    assert etc.files() == {"nginx.conf"}


def test_a_whole_config_is_tested_as_it_is(etc: Etc) -> None:
    words = f"nginx-site --name shop --domain a.b {SLOTS} --listen 127.0.0.1 --http-port 8080 --whole"
    generate(f"{words} --run-dir {etc.folder} --output {etc.folder}/whole.conf --write")
    assert "whole.conf" in etc.files()
    with pytest.raises(Rejected, match="No such file or directory"):
        generate(f"{words} --run-dir {etc.folder}/gone --output {etc.folder}/other.conf --write")


@pytest.mark.parametrize(
    "words", [(), ("--sticky", "cookie:sid"), ("--no-shared",), ("--no-shared", "--sticky", "header:x-a")]
)
def test_what_a_site_is_to_include_is_tested_alone(
    etc: Etc, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    etc.upstream("--mode", "instant", *words, where="made/")
    assert capsys.readouterr().err.count("it was tested alone") == 3


def test_what_a_site_includes_is_tested_as_it_will_be_all_together(etc: Etc, capsys: pytest.CaptureFixture[str]) -> None:
    """Another key has other variables: each file alone would not fit those that are there."""
    (etc.folder / "nginx.conf").write_text(MAIN.format(folder=etc.folder).replace("conf.d/*", "made/shop-upstream"))
    etc.upstream("--mode", "instant", where="made/")
    site = "server { listen 127.0.0.1:1; include made/shop-server.conf; location / { include made/shop-location.conf; } }"
    etc.put("nginx.conf", (etc.folder / "nginx.conf").read_text().replace("\n}\n", f"\n{site}\n}}\n"))
    capsys.readouterr()
    etc.upstream("--mode", "instant", "--sticky", "cookie:sid", where="made/")
    assert "warning" not in capsys.readouterr().err


def test_in_the_wrong_place_it_is_refused(etc: Etc) -> None:
    with pytest.raises(Rejected, match="directive is not allowed here"):
        etc.upstream("--mode", "instant")
    assert etc.files() == {"nginx.conf"}


def test_two_sites_in_instant_mode_share_what_is_there_once(etc: Etc) -> None:
    """The format of a log may not be there twice."""

    def site(name: str, *words: str) -> None:
        given = f"nginx-site --name {name} --domain {name}.b {SLOTS} --listen 127.0.0.1 --http-port 8080 --write"
        tries = ["--tries", f"{etc.folder}/{name}.log", "--access-log", "off", "--nginx-conf", str(etc.main)]
        generate(given, "--output", f"{etc.folder}/conf.d/", *tries, *words)

    site("first")
    with pytest.raises(Rejected, match='duplicate "log_format" name "proxyswitch"'):
        site("second")
    site("second", "--no-shared")
    assert {"conf.d/first.conf", "conf.d/second.conf"} <= etc.files()


@pytest.mark.parametrize(
    ("pattern", "name", "leads"),
    [
        ("{}/conf.d/*.conf", "conf.d/a.conf", True),
        ("{}/conf.d/*", "conf.d/a.conf", True),
        ("{}/*/*.conf", "conf.d/a.conf", True),
        ("{}/*.conf", "conf.d/a.conf", False),
        ("{}/conf.d/*.conf", "conf.d/.a.conf", False),
        ("{}/conf.d/*.conf", "conf.d/a.cfg", False),
        ("{}/linked/*.conf", "conf.d/a.conf", True),
    ],
)
def test_which_includes_lead_to_a_file(etc: Etc, pattern: str, name: str, leads: bool) -> None:
    (etc.folder / "linked").symlink_to(etc.folder / "conf.d")
    assert check_nginx.leads_to(pattern.format(etc.folder), f"{etc.folder}/{name}") is leads


def test_without_nginx_it_is_said(etc: Etc, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("proxyswitch.proxies.nginx_master.find_binary", _none)
    etc.upstream("--nginx-version", "1.22")
    assert "nginx did not test it: " in capsys.readouterr().err


def _none(*_: object) -> Callable[[], None]:
    from proxyswitch.errors import UsageError

    raise UsageError("nginx was not found")
