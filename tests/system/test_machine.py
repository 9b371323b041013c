"""The disks and the load of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.system import machine
from tests.disks import tmpfs

Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    with tmpfs(tmp_path) as made:
        yield made


@pytest.mark.root
def test_what_is_free_on_a_disk(mount: Mount) -> None:
    small = mount("size=1m")
    before = machine.disk(small)
    assert before.bytes == 2**20
    (small / "half").write_bytes(b"x" * 2**19)
    assert machine.disk(small).bytes == 2**19
    assert machine.disk(small / "not" / "yet" / "there") == machine.disk(small)
    assert machine.disk(small).device != machine.disk("/").device


@pytest.mark.root
def test_how_many_files_can_be_made(mount: Mount) -> None:
    small = mount("size=1m,nr_inodes=10")
    before = machine.disk(small).files
    assert before
    (small / "file").touch()
    assert machine.disk(small).files == before - 1


@pytest.mark.root
def test_a_file_system_that_does_not_count_files(mount: Mount) -> None:
    assert machine.disk(mount("size=1m,nr_inodes=0")).files is None


def test_a_disk_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(_path: Path) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", broken)
    with pytest.raises(UsageError, match="cannot see what is free there: Input/output error"):
        machine.disk(tmp_path)


def test_the_load_is_that_of_one_processor() -> None:
    """As `uptime` has it, by the number that `nproc` says."""
    with open("/proc/loadavg", encoding="ascii") as file:
        before = float(file.read().split()[0])
    mine = machine.load() * int(subprocess.check_output(["nproc"]))
    with open("/proc/loadavg", encoding="ascii") as file:
        after = float(file.read().split()[0])
    assert min(before, after) - 0.01 <= mine <= max(before, after) + 0.01
