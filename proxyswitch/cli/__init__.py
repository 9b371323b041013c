"""The `proxyswitch` command. Each subcommand parses, calls, prints, exits; nothing else."""

from __future__ import annotations

from typing import NoReturn


def main() -> None:
    """Run the command with the words of the command line, and exit."""
    import gc
    import os
    import sys

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller: no file of ours may get its number
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # open to the end
    for stream in (sys.stdout, sys.stderr):
        if stream:  # a terminal that cannot show a character must not end a change half-way
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    gc.set_threshold(1_000_000)  # imports make no garbage worth looking for: looking takes a tenth of the start
    from proxyswitch.cli.app import command

    try:
        command()(prog_name="proxyswitch")
    except SystemExit as end:
        _leave(end.code)
    except OSError as error:  # what a command says is guarded; this is --help or --version into a full disk
        print(f"proxyswitch: cannot write: {error.strerror}", file=sys.stderr)
        _leave(1)


def _leave(code: object) -> NoReturn:
    """End at once. Python would first take apart, piece by piece, all that was read: 30 ms for a large config."""
    import os
    import sys

    status = code if isinstance(code, int) else int(code is not None)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:
            status = status or 1
    os._exit(status)
