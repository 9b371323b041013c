"""Files: whole or not at all.

A person's file is replaced by renaming a dotfile over it from the same folder, so that every reader sees the old bytes
or the new ones; a dotfile, because `include dir/*` passes over those. Mode, owner and extended attributes (SELinux
labels, access lists) are kept, links resolved, file and folder flushed to disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from proxyswitch.errors import Failed, UsageError

MARK = ".proxyswitch-"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, a quota, a limit on the size of files


def digest(data: bytes) -> str:
    import hashlib  # 3 ms, which a command that only looks need not spend

    return hashlib.sha256(data).hexdigest()


def read(path: str | Path) -> bytes:
    """The bytes of a file. Raises OSError."""
    with open(path, "rb") as file:
        return file.read()


def read_from(path: str | Path, offset: int, limit: int = 1 << 20) -> bytes:
    """At most `limit` bytes from `offset` on: the end of a log of any size. Raises OSError."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(limit)


def read_text(path: str | Path) -> str:
    return read(path).decode("utf-8", "surrogateescape")


def temp_name(real: str, token: str) -> str:
    """The dotfile of this run beside `real`."""
    folder, name = os.path.split(real)
    return os.path.join(folder, f".{name}{MARK}{os.getpid()}-{token}")


def write_new(path: str, data: bytes, mode: int = 0o600, *, flush: bool = True) -> None:
    """Write a file that must not exist yet, and flush it to disk. Nothing is left of it when that fails."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            if flush:
                os.fsync(file.fileno())
    except BaseException:
        remove(path)
        raise


def prepare(real: str, data: bytes, token: str) -> str:
    """Write the coming bytes of `real` into its dotfile, with its mode, owner and attributes. Returns the name."""
    temp = temp_name(real, token)
    try:
        write_new(temp, data)
        _copy_attributes(real, temp)
    except OSError as error:
        remove(temp)
        raise _explain(error, real) from error
    except BaseException:  # a signal to us
        remove(temp)
        raise
    return temp


def _copy_attributes(source: str, target: str) -> None:
    status, made = os.stat(source), os.stat(target)  # a setgid folder gives its group to what is made in it
    if (status.st_uid, status.st_gid) != (made.st_uid, made.st_gid):
        os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    for name in _attributes(source):
        os.setxattr(target, name, os.getxattr(source, name))


def _attributes(path: str) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return []
        raise


def commit(temp: str, real: str) -> bool:
    """Rename the dotfile over the file. Returns False where that cannot be done because the file is a mount point."""
    try:
        os.replace(temp, real)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EXDEV):
            return False
        raise _explain(error, real) from error
    sync_folder(os.path.dirname(real))
    return True


def overwrite(real: str, data: bytes) -> None:
    """Write over a file where it is: the way for a mount point, which cannot be renamed over. Not atomic."""
    fd = os.open(real, os.O_WRONLY)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.ftruncate(file.fileno(), len(data))
        os.fsync(file.fileno())


def rewrite(real: str, data: bytes, token: str) -> None:
    """Replace a person's file as a whole, with its mode, owner and attributes; a mount point is written over where it is.

    Raises UsageError without permission, Failed on a full disk.
    """
    if not commit(prepare(real, data, token), real):
        overwrite(real, data)


def is_torn(data: bytes, before: bytes, after: bytes) -> bool:
    """True when `data` is what a killed `overwrite` of `before` by `after` leaves: one's head, the other's tail."""
    head = len(os.path.commonprefix([data, after]))  # noqa: RUF071  # bytes, not paths
    tail = before[head:] if head < len(after) else before[len(after) :]
    return data[head:] == tail or data == after + before[len(after) :]


def sync_folder(folder: str) -> None:
    """Flush the names in a folder. Raises Failed."""
    try:
        fd = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise _explain(error, folder) from error


def replace(path: str | Path, data: bytes, mode: int = 0o600) -> None:
    """Write one of our own files, atomically and flushed. Raises Failed, with the reason, when it cannot be."""
    real = os.path.realpath(path)
    temp = temp_name(real, "new")
    try:
        remove(temp)
        write_new(temp, data, mode)
        os.chmod(temp, mode)  # the umask must not bar those who are to read it
        os.replace(temp, real)
        sync_folder(os.path.dirname(real))
    except OSError as error:
        with contextlib.suppress(OSError):
            remove(temp)
        raise _explain(error, real) from error


def create(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write a file that must not be there yet, whole or not at all. Raises UsageError when it is, Failed otherwise."""
    temp = temp_name(os.path.abspath(path), "new")
    try:
        remove(temp)
        write_new(temp, data, mode)
        os.chmod(temp, mode)
        os.link(temp, path)  # which does not write over anything, as a rename would
        sync_folder(os.path.dirname(temp))
    except FileExistsError:
        raise UsageError(f"{path} is there already") from None
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            remove(temp)


def relink(link: str, target: str) -> None:
    """Make the symbolic link name `target`, atomically and flushed: who follows it sees the old one or the new one."""
    folder = os.path.dirname(link)
    temp = temp_name(link, "link")
    try:
        clear(folder)
        remove(temp)
        os.symlink(target, temp)
        os.replace(temp, link)
    except OSError as error:
        with contextlib.suppress(OSError):
            remove(temp)
        raise _explain(error, link) from error
    sync_folder(folder)


def open_folder(folder: str) -> None:
    """A folder that everybody may look into, made with all that leads to it where missing. Raises OSError."""
    if os.path.isdir(folder):
        return
    open_folder(os.path.dirname(folder))
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
        os.chmod(folder, 0o755)  # noqa: S103  # the umask must not bar nginx's workers


def fill_folder(folder: str, names: frozenset[str]) -> None:
    """A folder that holds exactly these names, empty files, flushed; one whose making was cut off is finished."""
    try:
        open_folder(folder)
        there = set(os.listdir(folder))
        for name in names - there:
            os.close(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644))
        for name in there - names:
            remove(os.path.join(folder, name))
    except OSError as error:
        raise _explain(error, folder) from error
    if there != names:
        sync_folder(folder)


def append(path: str | Path, data: bytes, mode: int = 0o600) -> None:
    """Append to one of our own files, and flush it. A part that was written when the disk filled up is taken back."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise _explain(error, str(path)) from error
    with open(fd, "rb+", buffering=0) as file:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":  # a line that a crash cut off must not swallow this one
            data = b"\n" + data
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, size)
            raise _explain(error, str(path)) from error


def remove(path: str | Path) -> None:
    """Remove a file; one that is not there is fine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_folder(path: str) -> None:
    """Remove a folder of our own with all that is in it; one that is not there is fine. Raises Failed."""
    import shutil

    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _explain(error, path) from error


def make_folder(path: Path, mode: int = 0o700) -> Path:
    """A folder of our own, made where it is missing. Raises UsageError when that is not allowed, Failed on a full disk."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise _explain(error, str(path)) from error
        raise UsageError(
            f"{path}: cannot make this folder: {error.strerror}",
            next_step="run it as a user who may, or name another with PROXYSWITCH_STATE",
        ) from error
    return path


def check_writable(real: str) -> None:
    """Raise UsageError unless we may replace `real`: before anything is changed."""
    folder = os.path.dirname(real)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"{real}: no permission to write in {folder}", next_step="run it as a user who may, for instance with sudo"
        )
    status = os.stat(real)
    if os.geteuid() not in (0, status.st_uid):
        raise UsageError(
            f"{real}: it belongs to another user, and replacing it would change its owner",
            next_step="run it as its owner, or with sudo",
        )
    if os.geteuid() != 0 and status.st_gid not in (os.getegid(), *os.getgroups(), _group_given_by(folder)):
        raise UsageError(
            f"{real}: it belongs to a group (id {status.st_gid}) that you are not in, and replacing it would change that",
            next_step="give it a group of yours (chgrp), or run it with sudo",
        )


def _group_given_by(folder: str) -> int:
    """The group that a setgid folder gives to what is made in it; -1 where it gives none."""
    status = os.stat(folder)
    return status.st_gid if status.st_mode & stat.S_ISGID else -1


def strays(folder: str) -> Iterator[str]:
    """Temporary files of ours in a folder whose run is over: their names carry its pid behind the mark."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            pid = name.partition(MARK)[2].partition("-")[0]
            if name.startswith(".") and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
                yield os.path.join(folder, name)


def clear(folder: str) -> None:
    """Remove the temporary files that killed runs left in a folder. Another user's stay: they do no harm."""
    for stray in strays(folder):
        with contextlib.suppress(OSError):
            remove(stray)


def modified(path: str) -> float:
    """When content or place of a file last changed, in seconds since 1970: the later of mtime and ctime."""
    status = os.stat(path)
    return max(status.st_mtime, status.st_ctime)


def _explain(error: OSError, path: str) -> Exception:
    reason = error.strerror or str(error)
    if error.errno in FULL:
        return Failed(f"{path}: cannot write: {reason}", next_step="free some disk space, then run it again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UsageError(f"{path}: cannot write: {reason}", next_step="run it as a user who may")
    return Failed(f"{path}: cannot write: {reason}")
