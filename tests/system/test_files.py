from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from proxyswitch.errors import Failed, UsageError
from proxyswitch.system import files

GONE = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1  # no process can have this pid


def switch(path: Path, data: bytes) -> bool:
    real = os.path.realpath(path)
    return files.commit(files.prepare(real, data, "t1"), real)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "conf.d" / "app.conf"
    path.parent.mkdir()
    path.write_bytes(b"old\n")
    path.chmod(0o640)
    return path


def test_a_file_is_replaced_with_its_mode(conf: Path) -> None:
    conf.chmod(0o604)
    assert switch(conf, b"new\n")
    assert conf.read_bytes() == b"new\n"
    assert conf.stat().st_mode & 0o7777 == 0o604
    assert os.listdir(conf.parent) == ["app.conf"]


@pytest.mark.root
def test_the_owner_is_kept(conf: Path) -> None:
    os.chown(conf, 12345, 23456)
    conf.chmod(0o4755)
    switch(conf, b"new\n")
    status = conf.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (12345, 23456, 0o4755)


@pytest.mark.root
def test_the_group_is_kept_in_a_folder_that_gives_its_own(conf: Path) -> None:
    os.chown(conf.parent, -1, 23456)
    conf.parent.chmod(0o2775)
    os.chown(conf, -1, os.getegid())
    switch(conf, b"new\n")
    assert conf.stat().st_gid == os.getegid()


def test_extended_attributes_are_kept(conf: Path) -> None:
    try:
        os.setxattr(conf, "user.origin", b"ansible")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip("this file system has no extended attributes")
    switch(conf, b"new\n")
    assert os.getxattr(conf, "user.origin") == b"ansible"


def test_a_link_stays_a_link(conf: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.conf"
    link.symlink_to(conf)
    switch(link, b"new\n")
    assert link.is_symlink()
    assert conf.read_bytes() == b"new\n"
    files.replace(link, b"newer\n")
    assert link.is_symlink()
    assert conf.read_bytes() == b"newer\n"


def test_the_temp_is_a_dotfile_beside_the_file(conf: Path) -> None:
    temp = files.prepare(str(conf), b"new\n", "t1")
    assert os.path.dirname(temp) == str(conf.parent)
    assert os.path.basename(temp).startswith(".")
    assert conf.read_bytes() == b"old\n"
    assert Path(temp).stat().st_mode == conf.stat().st_mode
    assert list(files.strays(str(conf.parent))) == []  # we live
    left = temp.replace(f"{files.MARK}{os.getpid()}-", f"{files.MARK}{GONE}-")
    Path(temp).rename(left)
    assert list(files.strays(str(conf.parent))) == [left]


def test_strays_are_only_ours_and_of_runs_that_are_over(conf: Path) -> None:
    for name in (".app.conf.swp", f"x{files.MARK}{GONE}", ".hidden", f".x{files.MARK}{os.getpid()}-1"):
        (conf.parent / name).touch()
    assert list(files.strays(str(conf.parent))) == []
    assert list(files.strays("/no/such/folder")) == []


def test_write_new_refuses_what_is_there(conf: Path, tmp_path: Path) -> None:
    link = tmp_path / "dangling"
    link.symlink_to(tmp_path / "elsewhere")
    for path in (conf, link):
        with pytest.raises(FileExistsError):
            files.write_new(str(path), b"x")
    assert conf.read_bytes() == b"old\n"
    assert not (tmp_path / "elsewhere").exists()


def test_write_new_leaves_nothing_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_new(str(tmp_path / "new"), b"x")
    assert os.listdir(tmp_path) == []


LIMITED = """
import resource, sys
from proxyswitch.errors import Failed
from proxyswitch.system import files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    {call}
except Failed as error:
    assert "free some disk space" in error.next_step, error.next_step
    print(error.what)
"""


def limited(call: str, path: Path) -> str:
    """Run it where no file may grow over 1000 bytes, as on a disk that fills up."""
    argv = [sys.executable, "-c", LIMITED.format(call=call), str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "call",
    [
        'files.prepare(sys.argv[1], b"x" * 5000, "t1")',
        'files.replace(sys.argv[1], b"x" * 5000)',
        'files.append(sys.argv[1], b"x" * 5000)',
    ],
)
def test_a_full_disk_leaves_nothing(call: str, conf: Path) -> None:
    assert "cannot write: " in limited(call, conf)
    assert conf.read_bytes() == b"old\n"
    assert os.listdir(conf.parent) == ["app.conf"]


def test_replace_writes_our_own_files(tmp_path: Path) -> None:
    path = tmp_path / "state"
    files.replace(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    files.replace(path, b"two", 0o644)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o644)
    assert os.listdir(tmp_path) == ["state"]


def test_a_replace_that_fails_leaves_no_temp(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(Failed, match="Is a directory"):
        files.replace(tmp_path / "state", b"x")
    assert os.listdir(tmp_path) == ["state"]


def test_append(tmp_path: Path) -> None:
    path = tmp_path / "history"
    files.append(path, b"one\n")
    files.append(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(Failed, match="cannot write"):
        files.append(link, b"x")


@pytest.mark.parametrize(("before", "after"), [(b"short", b"much longer"), (b"much longer", b"short"), (b"a", b"a")])
def test_overwrite(before: bytes, after: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mounted.conf"
    path.write_bytes(before)
    inode = path.stat().st_ino
    files.overwrite(str(path), after)
    assert (path.read_bytes(), path.stat().st_ino) == (after, inode)


PAIRS = [
    (b"server a:1;\n", b"server b:2;\n"),
    (b"server a:1;\n", b"server a:1 down;\n"),
    (b"server a:1 down;\n", b"server a:1;\n"),
    (b"aaaa", b"aa"),
    (b"aa", b"aaaa"),
    (b"", b"x"),
]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_every_torn_state_is_known(before: bytes, after: bytes) -> None:
    for cut in range(len(after) + 1):
        assert files.is_torn(after[:cut] + before[cut:], before, after), cut


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_what_a_person_wrote_is_not_torn(before: bytes, after: bytes) -> None:
    for other in (b"server c:3;\n", before + b"# me\n", b"# me\n" + after, after + b"# me\n"):
        assert not files.is_torn(other, before, after)


MOUNT = """
mount --bind "$1" "$1" && exec "$2" -c '
import os, sys
from proxyswitch.system import files
real = sys.argv[1]
temp = files.prepare(real, b"new", "t1")
assert files.commit(temp, real) is False
assert files.read(real) == b"old\\n"
files.remove(temp)
files.overwrite(real, b"new")
print("ok")
' "$1"
"""


@pytest.mark.root
def test_a_mount_point_cannot_be_renamed_over(conf: Path) -> None:
    argv = ["unshare", "-m", "sh", "-c", MOUNT, "sh", str(conf), sys.executable]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if "ermitted" in done.stderr and not os.environ.get("CI"):
        pytest.skip(f"no private mounts here: {done.stderr.strip()}")
    assert done.stdout == "ok\n", done.stderr
    assert conf.read_bytes() == b"new"
    assert os.listdir(conf.parent) == ["app.conf"]


def test_readers_never_see_a_part(conf: Path) -> None:
    versions = {bytes([65 + n]) * 200_000 for n in range(2)}
    conf.write_bytes(min(versions))
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.add(conf.read_bytes())

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(20):
            for data in versions:
                switch(conf, data)
    finally:
        over.set()
        for reader in readers:
            reader.join()
    assert seen <= versions


@pytest.mark.root
def test_no_permission_is_said_before(conf: Path) -> None:
    os.chown(conf, 12345, -1)
    files.check_writable(str(conf))
    for folder in (conf.parent, *conf.parent.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    child = os.fork()
    if child == 0:  # an ordinary user, in a process of its own
        code = 1
        try:
            os.setuid(54321)
            files.check_writable(str(conf))
        except UsageError as error:
            code = 0 if "no permission to write" in error.what else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.root
def test_a_file_of_another_user_is_not_taken_over(conf: Path) -> None:
    conf.parent.chmod(0o777)
    for folder in conf.parents:
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o011)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setuid(54321)
            files.check_writable(str(conf))
        except UsageError as error:
            code = 0 if "belongs to another user" in error.what else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_make_folder(tmp_path: Path) -> None:
    made = files.make_folder(tmp_path / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make this folder"):
        files.make_folder(tmp_path / "file" / "x")


def test_modified_is_the_later_of_content_and_place(conf: Path) -> None:
    os.utime(conf, (1, 1))
    assert files.modified(str(conf)) == conf.stat().st_ctime > 1
