from __future__ import annotations

import contextlib
import grp
import http.client
import os
import pwd
import shlex
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.proxies import nginx_worker
from proxyswitch.proxies.nginx_worker import ACCESS_LIST, Identity, unreachable
from proxyswitch.system import proc
from tests.e2e.support import Bench, bench

ME = Identity(os.geteuid(), os.getegid(), tuple(os.getgroups()))
NOBODY = Identity(65534, 65534)
HELPS = "; this would help: "

CONF = """\
{{user}}worker_processes 2;
pid nginx.pid;
error_log error.log notice;
events {{{{ worker_connections 64; }}}}
http {{{{
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server {{{{
        listen 127.0.0.1:{{port}};
        if (-e {flags}/here) {{{{ return 200; }}}}
        return 404;
    }}}}
}}}}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter; those of pytest are private."""
    made = Path(tempfile.mkdtemp(prefix="proxyswitch-worker-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def deep(folder: Path) -> Path:
    """FOLDER/state/flags/app with a file in it."""
    made = folder / "state" / "flags" / "app"
    made.mkdir(parents=True)
    (made / "here").touch()
    return made


@pytest.fixture
def place(folder: Path, nginx_binary: str) -> Iterator[Bench]:
    (folder / "nginx").mkdir()
    with bench(folder / "nginx") as made:
        yield made


def start(place: Bench, flags: Path, user: str = "") -> None:
    """An nginx that answers 200 when its worker sees `here` in that folder."""
    conf = CONF.format(flags=flags)
    place.write(0, conf.replace("{user}", f"user {user};\n") if user else conf)
    place.start()


def seen(place: Bench) -> bool:
    """True when the worker sees the file."""
    client = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    client.request("GET", "/")
    status = client.getresponse().status
    client.close()
    assert status in (200, 404)
    return status == 200


# who


@pytest.mark.root
@pytest.mark.parametrize(("user", "name", "group"), [("www-data", "www-data", ""), ("nobody nogroup", "nobody", "nogroup")])
def test_the_workers_of_a_master_that_is_root(place: Bench, deep: Path, user: str, name: str, group: str) -> None:
    start(place, deep, user)
    found = nginx_worker.worker_identity(place.master)
    assert found
    assert (found.uid, found.gid) == (pwd.getpwnam(name).pw_uid, grp.getgrnam(group or name).gr_gid)
    assert nginx_worker.configured_identity("/usr/sbin/nginx", name, group) == found
    assert str(found) == name


@pytest.mark.root
def test_without_the_directive_it_is_what_was_compiled_in(place: Bench, deep: Path) -> None:
    conf = CONF.format(flags=deep)
    place.write(0, conf.replace("{user}", ""))
    place.start()
    found = nginx_worker.worker_identity(place.master)
    assert nginx_worker.configured_identity("/usr/sbin/nginx") == found
    assert found
    assert found.uid != 0


@pytest.mark.root
def test_a_master_of_an_ordinary_user_keeps_that_user(folder: Path, deep: Path, nginx_binary: str) -> None:
    (folder / "own").mkdir()
    with bench(folder / "own", "nobody") as place:
        place.write(0, CONF.format(flags=deep))
        place.start()
        found = nginx_worker.worker_identity(place.master)
        assert found
        assert found.uid == pwd.getpwnam("nobody").pw_uid


def test_who_cannot_change_the_user_keeps_it() -> None:
    assert nginx_worker.configured_identity("/usr/sbin/nginx", "www-data", as_root=False) == ME


def nginx_said(folder: Path, options: str) -> str:
    """A program that was configured with these options."""
    program = folder / "nginx-program"
    program.write_text(f"#!/bin/sh\necho 'nginx version: nginx/1.22.1' >&2\necho 'configure arguments: {options}' >&2\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("options", "user", "group"),
    [
        ("--user=www-data --group=adm --with-http_ssl_module", "www-data", "adm"),
        ("--prefix=/x --user=www-data", "www-data", "www-data"),
        ("--prefix=/x", "nobody", "nogroup"),
    ],
)
def test_what_was_compiled_in(folder: Path, options: str, user: str, group: str) -> None:
    found = nginx_worker.configured_identity(nginx_said(folder, options))
    assert (found.uid, found.gid) == (pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
    assert found.gid in found.groups


def test_a_group_of_nobodys_own_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx_worker, "_has_group", lambda name: True)
    assert nginx_worker._compiled_in(nginx_said(folder, "--prefix=/x")) == ("nobody", "nobody")


@pytest.mark.parametrize(("user", "group"), [("no-such-user", ""), ("nobody", "no-such-group")])
def test_a_user_that_is_not_there_is_said(user: str, group: str) -> None:
    with pytest.raises(UsageError, match="which this machine does not have"):
        nginx_worker.configured_identity("/usr/sbin/nginx", user, group)


def test_a_master_without_workers(tmp_path: Path) -> None:
    own = proc.identify(os.getpid())
    assert own
    assert nginx_worker.worker_identity(own) is None


def test_the_credentials_of_a_process() -> None:
    found = proc.credentials(os.getpid())
    assert found
    assert (*found[:2], set(found[2])) == (os.geteuid(), os.getegid(), set(os.getgroups()))
    with subprocess.Popen(["/bin/true"]) as child:
        child.wait()
    assert proc.credentials(child.pid) is None


# where


@pytest.mark.root
def test_what_is_said_is_what_a_worker_meets_and_the_chmod_helps(place: Bench, deep: Path) -> None:
    start(place, deep, "www-data")
    identity = nginx_worker.worker_identity(place.master)
    assert identity
    assert seen(place)
    assert unreachable(str(deep), identity) == ""
    barred = [deep.parent.parent, deep.parent, deep]
    for path in barred:
        path.chmod(0o700)
    for path in barred:
        assert not seen(place)
        said = unreachable(str(deep), identity)
        assert said
        assert f"www-data, who may not enter {path}: its mode is 0700 and it belongs to root" in said
        assert said.partition(HELPS)[2] == f"chmod o+x {path}"
        subprocess.run(shlex.split(said.partition(HELPS)[2]), check=True)
    assert unreachable(str(deep), identity) == ""
    assert seen(place)


def enters(path: Path, identity: Identity) -> bool:
    """Whether a process with that identity can look into the folder."""
    argv = ["/usr/bin/test", "-e", f"{path}/."]
    groups = list(identity.groups)
    return subprocess.run(argv, user=identity.uid, group=identity.gid, extra_groups=groups, check=False).returncode == 0


@pytest.mark.root
@pytest.mark.parametrize(
    "mode", [0o700, 0o710, 0o701, 0o711, 0o070, 0o071, 0o007, 0o001, 0o010, 0o100, 0o644, 0o2750, 0o000]
)
def test_the_verdict_is_the_kernels(deep: Path, mode: int) -> None:
    os.chown(deep.parent, 4001, 4002)
    deep.parent.chmod(mode)
    identities = [
        Identity(4001, 4001),
        Identity(4001, 4002),
        Identity(4003, 4002),
        Identity(4003, 4003, (4002, 4004)),
        Identity(4003, 4003, (4004,)),
        Identity(0, 0),
    ]
    for identity in identities:
        said = unreachable(str(deep), identity)
        assert (said == "") == enters(deep, identity), (identity, said)
        if said:
            subprocess.run(shlex.split(said.partition(HELPS)[2]), check=True)
            assert unreachable(str(deep), identity) == ""
            assert enters(deep, identity)
            deep.parent.chmod(mode)


def test_a_folder_behind_a_link_counts(folder: Path, deep: Path) -> None:
    link = folder / "link"
    link.symlink_to("state/../state/flags")
    assert unreachable(f"{link}/app", NOBODY) == ""
    (folder / "state").chmod(0o700)
    assert f"may not enter {folder}/state:" in str(unreachable(f"{link}/app", NOBODY))
    absolute = folder / "absolute"
    absolute.symlink_to(deep.parent)
    assert f"may not enter {folder}/state:" in str(unreachable(str(absolute), NOBODY))
    (folder / "state").chmod(0o755)


def test_the_last_folder_counts_too_and_a_relative_path_is_fine(deep: Path) -> None:
    with contextlib.chdir(deep.parent):
        assert unreachable("app", NOBODY) == ""
        deep.chmod(0o744)
        assert f"chmod o+x {deep}" in str(unreachable("./app/", NOBODY))


def test_a_name_with_blanks_is_quoted(deep: Path) -> None:
    odd = deep / "a b"
    odd.mkdir(0o700)
    assert f"chmod o+x '{odd}'" in str(unreachable(str(odd), NOBODY))


def test_what_is_not_there(deep: Path) -> None:
    assert unreachable(f"{deep}/none", NOBODY) == f"{deep}/none: No such file or directory"
    assert unreachable(f"{deep}/here", NOBODY) == f"{deep}/here: Not a directory"
    (deep / "loop").symlink_to("loop")
    assert "symbolic links" in str(unreachable(f"{deep}/loop", NOBODY))


def access_list(path: Path, other: int = 0, *named: tuple[int, int]) -> None:
    """Give it an access list: what others may, and named users with what they may."""
    none = 0xFFFFFFFF
    rows = [(0x01, 7, none), *((0x02, perm, uid) for uid, perm in named), (0x04, 0, none), (0x10, 7, none)]
    data = b"".join(struct.pack("<HHI", *row) for row in [*rows, (0x20, other, none)])
    try:
        os.setxattr(path, ACCESS_LIST, struct.pack("<I", 2) + data)
    except OSError as error:
        pytest.skip(f"no access lists on this file system: {error}")


@pytest.mark.root
def test_what_an_access_list_decides_is_unknown(deep: Path) -> None:
    access_list(deep, 0, (NOBODY.uid, 1))
    assert enters(deep, NOBODY)
    assert unreachable(str(deep), NOBODY) is None
    access_list(deep, 1, (NOBODY.uid, 0))
    assert not enters(deep, NOBODY)
    assert unreachable(str(deep), NOBODY) is None
    assert unreachable(str(deep), ME) == ""
    os.chown(deep, NOBODY.uid, -1)
    assert unreachable(str(deep), NOBODY) == ""  # its owner is asked by the mode bits
    os.chown(deep, 0, -1)
    deep.parent.chmod(0o700)  # barred for certain, whatever the list says
    assert f"chmod o+x {deep.parent}" in str(unreachable(str(deep), NOBODY))


@pytest.mark.root
def test_what_we_may_not_look_at_is_unknown(deep: Path) -> None:
    deep.parent.chmod(0o700)
    os.seteuid(NOBODY.uid)
    try:
        assert unreachable(str(deep), Identity(0, 0)) is None
        assert f"chmod o+x {deep.parent}" in str(unreachable(str(deep), Identity(33, 33)))
    finally:
        os.seteuid(0)
