"""Files that were changed where a container has them mounted: does it see them, and does nginx accept them?

All of it comes before nginx is told to read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from proxyswitch.errors import Failed
from proxyswitch.proxies import nginx_reload, nginx_stage
from proxyswitch.proxies.base import FileChange, NotTaken, Rejected
from proxyswitch.proxies.nginx_box import Box, why
from proxyswitch.system.run import Result

_PLACE = re.compile(r"(?<= in )/\S+(?=:\d+$)")


def check_seen(box: Box, changed: Mapping[str, FileChange]) -> None:
    """What was written must be what is read in there under these names. Raises Failed."""
    if not changed:
        return
    result = box.run("cat", *changed)
    if not result.ok:
        raise Failed(f"the changed files cannot be read in nginx's container: {why(result)}")
    written = {file.real: file.after for file in changed.values()}
    if result.out != b"".join(written.values()).decode("utf-8", "replace"):
        raise Failed(
            f"nginx's container does not see what was written to {', '.join(written)}",
            next_step="a file that is mounted by itself gets lost when an editor replaces it, until the container is"
            " started anew; mounting its folder is safer. Else mend nginx.paths in proxyswitch.toml",
        )


def judge(result: Result, own_name: Callable[[str], str]) -> None:
    """Accept what `nginx -t` said in there. Raises Rejected, at the person's own file and line, or Failed."""
    if not result.ok and not nginx_stage.sayings(result):
        raise Failed(f"nginx -t cannot be run in the container: {why(result)}")
    try:
        nginx_stage.judge(result, lambda text: _PLACE.sub(lambda found: own_name(found[0]), text), running=True)
    except Rejected as error:
        error.state = "the files are as before, and nginx was told nothing"
        error.next_step = "is the new server up, and its name right? If it is not about that, mend that line"
        raise


def explained(error: NotTaken, box: Box, master: int, seconds: float) -> NotTaken:
    """With what nginx (its number in there) wrote to the container's output, where it has no log of its own."""
    if not error.what.endswith(nginx_reload.UNREAD):
        return error
    said = [text for text in box.logged(master, seconds) if not text.endswith(nginx_reload.EPILOGUE)]
    if not said:
        return error
    return NotTaken(f"{error.what.removesuffix(nginx_reload.UNREAD)}: {said[-1]}", next_step=error.next_step)
