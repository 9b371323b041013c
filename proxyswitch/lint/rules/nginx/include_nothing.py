"""An include takes in nothing: the file is not there, or no name fits.

nginx refuses to start where a file is missing, and says nothing where a pattern fits no file. Files that nginx's packages
bring along, folders such as `conf.d`, and patterns that stand for one file, as `extra[.]conf`, may be missing; a folder
outside that of the main file is not looked into.

FAIL
    events {}
    http {
        include snippets/no-such-file.conf;
    }

PASS
    events {}
    http {
        include /etc/nginx/mime.types;
        include mime.types;
        include conf.d/*.conf;
        include local[.]conf;
    }
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config, Include

ID = "nginx/include-nothing"
LEVEL: Level = "warning"
# Folders that are there to be filled, and files that nginx's packages bring: in a repository they are mostly not there.
_EMPTY = re.compile(r".*\.d|.*-enabled")
_BROUGHT = re.compile(r"mime\.types|(?:fastcgi|scgi|uwsgi|proxy)_params|fastcgi(?:-php)?\.conf|koi-utf|koi-win|win-utf")
_ONE_LETTER = re.compile(r"\[[^]]\]")


def check(config: Config) -> Iterator[Found]:
    for item in config.missing:
        if not (_placeholder(item.args[0]) or _BROUGHT.fullmatch(os.path.basename(item.args[0]))):
            yield item.found(f"there is no file {item.args[0]}: nginx does not start without it", word=1)
    for include in config.includes:
        if include.names == () and _odd(include):
            yield include.item.found(f"{include.item.args[0]} fits no file: nothing is included", word=1)


def _odd(include: Include) -> bool:
    """Whether it can hardly be meant: there are other files, or no such folder."""
    pattern = include.item.args[0]
    if _placeholder(pattern) or not any(c in _ONE_LETTER.sub("", pattern) for c in "*?["):
        return False
    return bool(include.beside) or not _EMPTY.fullmatch(os.path.basename(os.path.dirname(pattern)))


def _placeholder(name: str) -> bool:
    """Whether a template's placeholder is in it: nginx itself knows no variables here."""
    return any(c in name for c in "$%@<")
