"""In GitHub's CI: errors become annotations, and a release a table in the summary of the job.

By the workflow commands and the file that GitHub documents ("Workflow commands for GitHub Actions").
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from proxyswitch import durations
from proxyswitch.cli import output
from proxyswitch.errors import ProxyswitchError

if TYPE_CHECKING:
    from proxyswitch.release.history import Entry

COLUMNS = ("app", "from", "to", "slot", "result", "took")


def annotate(error: ProxyswitchError) -> None:
    """An error as an annotation of the run; nothing elsewhere."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        text = "\n".join(error.lines()).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        output.note(f"::error title=proxyswitch::{text}")


def summarize_release(entry: Entry) -> None:
    """A release that was done, or was not needed."""
    _add((entry.app, entry.old_version or "-", entry.version, entry.slot, entry.result, durations.show(entry.seconds)))


def summarize(app: str, version: str, error: ProxyswitchError) -> None:
    """A release that failed."""
    _add((app, "-", version, "-", f"exit {error.exit_code}: {error.what.splitlines()[0]}", "-"))


def _add(row: tuple[str, ...]) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    cells = (cell.replace("|", "\\|") for cell in row)
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", f"| {' | '.join(cells)} |", "", ""]
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n".join(lines))
    except OSError as error:
        output.note(f"warning: {path}: cannot write the summary: {error.strerror}")
