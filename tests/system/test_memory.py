"""What processes use and what is free, on real processes and real control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.polling import until
from proxyswitch.system import files, memory, proc
from tests.cgroups import Group, memory_group
from tests.system.helpers import python

MB = 2**20
# argv: MB of the process itself, of each of two children, and of a grandchild in a session of its own
TREE = """
import os, sys, time
def hold(size):
    held.append(bytearray(os.urandom(MB)) * size)
MB, held = 2**20, []
own, child, far = map(int, sys.argv[1:])
def below(size, leaves):
    hold(size)
    if leaves and not os.fork():
        held.clear()
        os.setsid()
        below(far, False)
    os.write(write, b"x")
    time.sleep(600)
read, write = os.pipe()
for number in range(2):
    if not os.fork():
        below(child, number == 1)
hold(own)
for _ in range(3):
    os.read(read, 1)
print("ready", flush=True)
sys.stdin.read()
"""
ORPHAN = """
import os, sys, time
held = []
read, write = os.pipe()
if not os.fork():
    if os.fork():
        os._exit(0)
    held.append(bytearray(os.urandom(2**20)) * 60)
    os.write(write, b"x")
    time.sleep(600)
os.wait()
os.read(read, 1)
print("ready", flush=True)
sys.stdin.read()
"""
CACHE = """
import os, sys
with open(sys.argv[1], "wb") as file:
    for _ in range(60):
        file.write(os.urandom(2**20))
    file.flush()
    os.fsync(file.fileno())
print("ready", flush=True)
sys.stdin.read()
"""


def end(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, 9)


# processes


def test_a_tree_has_what_all_of_its_processes_have() -> None:
    with python(TREE, "60", "30", "90") as child:
        tree = proc.tree(child.pid)
        try:
            assert len(tree) == 4
            expected = (60 + 30 + 30 + 90) * MB
            assert 1 <= memory.of_tree(child.pid) / expected < 1.4
            assert 1 <= memory.used(child.pid) / (60 * MB) < 1.5
        finally:
            end(tree[1:])


def test_what_has_lost_its_parent_still_belongs_to_the_session() -> None:
    with python(ORPHAN) as child:
        tree = proc.tree(child.pid)
        try:
            assert len(tree) == 2
            assert memory.of_tree(child.pid) > 60 * MB
        finally:
            end(tree[1:])


def test_a_neighbour_does_not_count() -> None:
    with python(ORPHAN) as neighbour, python('print("ready", flush=True); input()') as child:
        left = proc.tree(neighbour.pid)[1:]
        try:
            assert proc.tree(child.pid) == [child.pid]
            assert memory.of_tree(child.pid) < 60 * MB
        finally:
            end(left)


def test_shared_memory_counts_once() -> None:
    """Both have the same pages: the sum of what is resident would be twice as much."""
    shared = TREE.replace("def below", "hold(100)\ndef below")
    with python(shared, "1", "1", "1") as child:
        tree = proc.tree(child.pid)
        try:
            assert memory.of_tree(child.pid) < 1.5 * 100 * MB
            assert memory.of_tree(child.pid, 1000 * MB) > 3 * 100 * MB  # far less than there is: no matter
            assert memory.of_tree(child.pid, 200 * MB) < 1.5 * 100 * MB
        finally:
            end(tree[1:])


def test_where_the_share_may_not_be_read_what_is_resident_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    read = files.read_text

    def denied(path: str) -> str:
        if path.endswith("smaps_rollup"):
            raise PermissionError(13, "Permission denied")
        return read(path)

    with python(TREE, "60", "1", "1") as child:
        tree = proc.tree(child.pid)
        try:
            proportional = memory.used(child.pid)
            monkeypatch.setattr(files, "read_text", denied)
            assert 1 <= memory.used(child.pid) / proportional < 1.5
        finally:
            end(tree[1:])


@pytest.mark.root
def test_another_users_share_may_not_be_read() -> None:
    """The kernel itself says no to an ordinary user."""
    with python(TREE, "60", "1", "1") as child:
        tree = proc.tree(child.pid)
        read, write = os.pipe()
        try:
            if not (reader := os.fork()):
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                try:
                    with open(f"/proc/{child.pid}/smaps_rollup", "rb") as file:
                        allowed = bool(file.read())
                except OSError:
                    allowed = False
                os.write(write, f"{allowed} {memory.used(child.pid)}".encode())
                os._exit(0)
            os.waitpid(reader, 0)
            told, size = os.read(read, 100).split()
            assert told == b"False"
            assert 1 <= int(size) / (60 * MB) < 1.5
        finally:
            os.close(read)
            os.close(write)
            end(tree[1:])


def test_what_is_gone_has_nothing() -> None:
    with python('print("ready", flush=True); input()') as child:
        pass
    child.wait()
    assert (proc.tree(child.pid), memory.of_tree(child.pid), memory.used(child.pid)) == ([], 0, 0)
    assert list(memory.below_limits(child.pid)) == []


def test_what_is_free_here() -> None:
    free = memory.available()
    assert free
    assert 0 < free < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


# control groups


@pytest.fixture
def group() -> Iterator[Group]:
    with memory_group() as made:
        yield made


def free_below(pid: int, group: Group, above: int = 0) -> int | None:
    """What is free below the limit of that group, as seen by a process."""
    return next((found.bytes for found in memory.below_limits(pid, above) if found.group == group.name), None)


@pytest.mark.root
def test_what_is_free_below_a_real_limit(group: Group) -> None:
    group.limit(300 * MB)
    with python(TREE, "1", "1", "1") as idle:
        tree = proc.tree(idle.pid)
        try:
            group.add(idle.pid)
            before = free_below(idle.pid, group)
            assert before is not None
            assert 0.9 < before / (300 * MB) <= 1
        finally:
            end(tree[1:])
    with python(f"import os\nopen({str(group.folder / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n{ORPHAN}") as child:
        tree = proc.tree(child.pid)
        try:
            free = free_below(child.pid, group)
            assert free is not None
            assert 0.9 < (before - free) / (60 * MB) < 1.5
        finally:
            end(tree[1:])


@pytest.mark.root
def test_cached_files_count_as_free(group: Group, tmp_path: Path) -> None:
    """A build that has read and written many files leaves its group full of them."""
    group.limit(100 * MB)
    code = f"import os\nopen({str(group.folder / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n{CACHE}"
    with python(code, str(tmp_path / "file")) as child:
        usage = "memory.usage_in_bytes" if group.version == 1 else "memory.current"
        assert int((group.folder / usage).read_text()) > 55 * MB
        free = free_below(child.pid, group)
        assert free is not None
        assert free > 70 * MB


@pytest.mark.root
def test_each_group_around_it_may_have_a_limit(group: Group) -> None:
    group.limit(300 * MB)
    inner = group.inner("unit")
    inner.limit(200 * MB)
    with python('print("ready", flush=True); input()') as child:
        inner.add(child.pid)
        both = [free_below(child.pid, one) or 0 for one in (inner, group)]
        assert 0.8 < both[0] / (200 * MB) <= 1
        assert 0.8 < both[1] / (300 * MB) <= 1
        assert free_below(child.pid, inner, above=1) is None
        assert free_below(child.pid, group, above=1)
        assert free_below(child.pid, group, above=2) is None


@pytest.mark.root
def test_a_process_that_leaves_meanwhile(group: Group) -> None:
    with python('print("ready", flush=True); input()') as child:
        group.add(child.pid)
        child.kill()
        child.wait()
        assert until(lambda: not list(memory.below_limits(child.pid)) or None, 10.0)


@pytest.mark.parametrize(
    ("written", "free"),
    [
        ({"memory.max": "max", "memory.current": "100"}, None),
        ({"memory.max": "500", "memory.high": "max", "memory.current": "100"}, 400),
        ({"memory.max": "500", "memory.high": "300", "memory.current": "100"}, 200),
        ({"memory.max": "max", "memory.high": "300", "memory.current": "400"}, 0),
        (
            {"memory.max": "500", "memory.current": "450", "memory.stat": "anon 9\ninactive_file 200\nactive_file 50\n"},
            300,
        ),
        ({"memory.max": "500"}, None),
        ({"memory.current": "5"}, None),
        ({}, None),
    ],
)
def test_the_files_of_version_2(tmp_path: Path, written: dict[str, str], free: int | None) -> None:
    """As cgroups(7) and the kernel's cgroup-v2.rst have them; the machines that run these tests may have version 1."""
    folder = tmp_path / "system.slice" / "cron.service"
    folder.mkdir(parents=True)
    for name, text in written.items():
        (folder / name).write_text(text)
    found = list(memory._below(memory.Mount(str(tmp_path), "/", 2), "/system.slice/cron.service", 0))
    assert found == ([memory.Free(free, "/system.slice/cron.service")] if free is not None else [])


@pytest.mark.parametrize(
    ("path", "top", "seen"),
    [
        ("/docker/1", "/docker/1", ""),  # in a container, which sees its own group as the topmost
        ("/", "/", ""),
        ("/docker/1/sub", "/docker/1", "sub"),
        ("/../outside", "/", ""),
    ],
)
def test_a_container_sees_its_own_groups(tmp_path: Path, path: str, top: str, seen: str) -> None:
    (tmp_path / seen).mkdir(exist_ok=True)
    for name in ("memory.max", "memory.current"):
        (tmp_path / seen / name).write_text("7")
    (found,) = memory._below(memory.Mount(str(tmp_path), top, 2), path, 0)
    assert found.bytes == 0
