"""The sample app, with a websocket at /socket that gives back each line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures" / "demo"))
HEAD = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Version: {}\r\n\r\n"


def with_socket(plain: Any) -> Any:
    """A handler of GET that knows /socket too."""

    def do_get(handler: Any) -> None:
        if handler.path != "/socket" or "upgrade" not in handler.headers.get("Connection", "").lower():
            plain(handler)
            return
        handler.close_connection = True
        handler.wfile.write(HEAD.format(app.VERSION).encode())
        for line in handler.rfile:
            handler.wfile.write(line)

    return do_get


if __name__ == "__main__":
    app = importlib.import_module("app")
    app.Handler.do_GET = with_socket(app.Handler.do_GET)
    app.main()
