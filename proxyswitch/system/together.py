"""Several commands at a time: none waits for another, and each has its own time limit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from proxyswitch.errors import UsageError
from proxyswitch.system import signals
from proxyswitch.system.run import Command, Result, Running


def run_all(commands: Sequence[Command]) -> list[Result | UsageError]:
    """Run commands side by side until all have ended, or their limits are over. The results are in the same order.

    A command that cannot be run at all has the UsageError for its result. When a signal stops us, all are killed.
    """
    begun: list[_Begun | UsageError] = []
    with ThreadPoolExecutor(max(1, len(commands))) as readers:
        try:
            for command in commands:
                with signals.uninterrupted():  # a signal comes before it starts, or when it is known
                    begun.append(_begin(command, readers))
            return [one if isinstance(one, UsageError) else one.result.result() for one in begun]
        except BaseException:
            for one in begun:
                if isinstance(one, _Begun):
                    one.stop()
            raise


def _begin(command: Command, readers: Executor) -> _Begun | UsageError:
    try:
        return _Begun(command, readers)
    except UsageError as error:
        return error


class _Begun:
    """A command that runs, and its result to come: a thread reads what it writes."""

    def __init__(self, command: Command, readers: Executor) -> None:
        self.running = Running(command)
        self.result = readers.submit(self.running.finish)

    def stop(self) -> None:
        if not self.result.done() and self.running.process.poll() is None:
            self.running.kill()
