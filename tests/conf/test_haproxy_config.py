"""Several files and folders as one config, and what it says about the process that runs with it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy import parse, pools, running
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.running import StateFile, StatsSocket
from proxyswitch.errors import ConfigError, UsageError
from tests.conf.haproxy_helpers import ENV, FOLDER, HEAD, loaded


def write(folder: Path, **texts: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in texts.items():
        (folder / f"{name}.cfg").write_bytes(data)
    return folder


def names(files: Sequence[str]) -> list[str]:
    return [Path(file).name for file in files]


def test_a_folder_is_its_cfg_files_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    write(tmp_path, b=b"", a=b"", B=b"", é=b"", z=b"", a1=b"", A=b"")
    for other in ("a.cfg.bak", ".hidden.cfg", "c.conf", "cfg", "a.CFG", "a.cfg~", "#a.cfg#"):
        (tmp_path / other).write_bytes(b"wrong")
    write(tmp_path / "sub", x=b"wrong")
    (tmp_path / "folder.cfg").mkdir()
    assert names(configs.expand([str(tmp_path)])) == ["A.cfg", "B.cfg", "a.cfg", "a1.cfg", "b.cfg", "z.cfg", "é.cfg"]


def test_haproxy_takes_the_same_files_of_a_folder(haproxy_binary: str, tmp_path: Path) -> None:
    """Each file says its name, in the order in which it is read."""
    for name in ("b.cfg", "B.cfg", "a.cfg", ".h.cfg", "a.cfg.bak", "c.conf", "é.cfg", "a1.cfg", "a-1.cfg"):
        (tmp_path / name).write_text(f'.notice "{name}"\n')
    said = subprocess.run([haproxy_binary, "-c", "-f", str(tmp_path)], capture_output=True, check=False, env=ENV, timeout=60)
    read = [line.partition("]: '")[2].rstrip("'.") for line in said.stderr.decode().splitlines() if "]: '" in line]
    assert [name.removesuffix(".cfg") for name in names(configs.expand([str(tmp_path)]))] == [
        name.removesuffix(".cfg") for name in read
    ]
    assert len(read) == 6


def test_files_and_folders_keep_their_order(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", a=b"", b=b"")
    write(tmp_path, z=b"", y=b"")
    given = [str(tmp_path / "z.cfg"), str(folder), str(tmp_path / "y.cfg"), str(tmp_path / "z.cfg")]
    assert names(configs.expand(given)) == ["z.cfg", "a.cfg", "b.cfg", "y.cfg", "z.cfg"]


@pytest.mark.parametrize("given", [[], ["."]])
def test_no_file_at_all_is_an_error(given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no config file"):
        configs.expand(given)


def test_defaults_and_variables_of_one_file_hold_in_the_next(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=b"global\n setenv PORT 3001\ndefaults one\n mode http\n default-server disabled weight 3\ndefaults\n mode tcp\n",
        b=b'backend app from one\n server s "a:$PORT" enabled\nbackend b\n server s a:1\n',
        c=b".if defined(PORT)\nbackend c\n server s a:1\n.endif\n",
    )
    config = configs.load(configs.expand([str(tmp_path)]), Facts({}))
    found = pools.backends(config)
    assert [(b.name, b.context, s.address, s.weight, s.down) for b in found for s in b.pool().servers] == [
        ("app", "http", "a:3001", 3, False),
        ("b", "tcp", "a:1", 1, False),
        ("c", "tcp", "a:1", 1, False),
    ]
    assert str(found[1].pool().servers[0].where) == f"{tmp_path}/b.cfg:4"


def test_a_section_ends_with_its_file(tmp_path: Path) -> None:
    write(tmp_path, a=b"backend app\n server s a:1\n", b=b" server t a:2\n")
    with pytest.raises(ConfigError, match="'server' stands before any section") as error:
        configs.load(configs.expand([str(tmp_path)]))
    assert (error.value.path, error.value.line, error.value.column) == (f"{tmp_path}/b.cfg", 1, 2)


def test_a_condition_ends_with_its_file(tmp_path: Path) -> None:
    write(tmp_path, a=b".if 0\n", b=b".endif\n")
    with pytest.raises(ConfigError, match=r"the \.if of line 1 has no .endif"):
        configs.load(configs.expand([str(tmp_path)]))


def test_a_file_that_is_named_twice_is_there_twice(tmp_path: Path) -> None:
    path = str(write(tmp_path, a=b"backend app\n server s a:1\n") / "a.cfg")
    config = configs.load([path, path])
    assert [b.name for b in pools.backends(config)] == ["app", "app"]


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    for name in ("none.cfg", "none/x.cfg"):
        with pytest.raises(UsageError, match=f"{name}: No such file or directory"):
            configs.load(configs.expand([str(tmp_path / name)]))


def test_a_file_that_may_not_be_read_is_said() -> None:
    def read(path: str) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    with pytest.raises(UsageError, match=r"/x\.cfg: permission denied"):
        configs.load(["/x.cfg"], read=read)


def test_a_folder_in_the_place_of_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        configs.load([str(tmp_path)])


def test_bytes_after_an_edit_stand_for_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, a=b"backend app\n") / "a.cfg"
    (tmp_path / "link.cfg").symlink_to(path)
    config = configs.load([str(tmp_path / "link.cfg")], replaced={str(path): b"backend b\n"})
    assert [b.name for b in pools.backends(config)] == ["b"]


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        (b"server s a:1\n", 1, 1, "'server' stands before any section: expected a section"),
        (b"\n  bakend app\n", 2, 3, "'bakend' stands before any section: did you mean backend"),
        (b"# x\n\xef\xbb\xbfglobal\n", 2, 1, "stands before any section"),
        (b"global\n maxconn 1\0\n", 2, 11, "a NUL byte"),
        (b"global\n # \0\n", 2, 4, "a NUL byte"),
        (b"global\n description 'a\n", 2, 14, "the quote ' is not closed"),
        (b'global\r\n\tdescription "a\r\n', 2, 14, 'the quote " is not closed'),
        (b"global\n \xc3\xa9\xc3\xa9 'a\n", 2, 7, "the quote ' is not closed"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(
    text: bytes, line: int, column: int, what: str, haproxy_binary: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=what) as error:
        parse(text, "/x.cfg")
    assert (error.value.path, error.value.line, error.value.column) == ("/x.cfg", line, column)
    path = write(tmp_path, x=text) / "x.cfg"
    refused = subprocess.run([haproxy_binary, "-c", "-f", str(path)], capture_output=True, check=False, env=ENV, timeout=60)
    assert f"{path}:{line}]" in refused.stderr.decode(errors="replace")


def test_a_misspelt_section_inside_another_is_left_to_haproxy() -> None:
    """For us it is one more line of that section; HAProxy refuses it."""
    (only,) = pools.backends(loaded(b"backend app\n server s a:1\nbakend b\n server t a:2\n"))
    assert [s.name for s in only.pool().servers] == ["s", "t"]


def test_an_empty_config_has_no_pools() -> None:
    for data in (b"", b"\n", b"# x", b"\r\n\t\n", b"global\n"):
        assert parse(data).dumps() == data
        assert pools.backends(loaded(data)) == []


# the process


def test_sockets_are_listed_the_most_powerful_first() -> None:
    config = loaded(
        b"global\n stats socket /a.sock\n stats timeout 3s\n stats socket ipv4@127.0.0.1:9 level user\n stats socket\n"
        b'frontend f\n stats socket /no.sock\nglobal\n stats socket "/b c.sock" mode 600 level admin expose-fd listeners\n'
    )
    assert running.stats_sockets(config) == [
        StatsSocket("/b c.sock", "admin"),
        StatsSocket("/a.sock", "operator"),
        StatsSocket("ipv4@127.0.0.1:9", "user"),
    ]


def test_the_last_chroot_counts() -> None:
    assert running.chroot(loaded(HEAD)) == ""
    assert running.chroot(loaded(b"global\n chroot /a\nglobal\n chroot /b # c\n")) == "/b"


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("plain.cfg", []),
        ("state-global.cfg", [("states/all", "")]),
        ("state-local.cfg", [("states/app", "app"), ("states/special", "named"), ("states/by-name", "by-name")]),
        ("state-none.cfg", []),
    ],
)
def test_state_files(name: str, files: list[tuple[str, str]]) -> None:
    config = configs.load([str(FOLDER / name)])
    assert running.state_files(config) == [StateFile(*file) for file in files]


def test_an_absolute_state_file_needs_no_base() -> None:
    text = b"global\n server-state-base /base\n server-state-file /run/all\ndefaults\n load-server-state-from-file global\n"
    config = loaded(text + b"backend a\n server s a:1\nbackend b\n load-server-state-from-file none\n")
    assert running.state_files(config) == [StateFile("/run/all")]
    assert [running.loads_state(b) for b in pools.backends(config)] == [True, False]
