"""A registry for tests, on loopback: it says which image a tag means, and under which digest.

    with registry() as made:
        digest = made.put("shop", "1", image_id)         # the tag shop:1 means that image of the engine now
        docker.run("pull", f"{made.host}/shop:1")

It has manifests and no blobs: an engine that has an image with that ID already asks for no more.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KIND = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"


@dataclass
class Registry:
    """What it answers, by the path that is asked for."""

    host: str
    manifests: dict[str, bytes] = field(default_factory=dict)

    def put(self, name: str, tag: str, image: str) -> str:
        """Let a tag mean the image with that ID. Returns its digest."""
        config = {"mediaType": CONFIG, "size": 1, "digest": image}
        manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": KIND, "config": config, "layers": []}
        body = json.dumps(manifest).encode()
        digest = _digest(body)
        self.manifests |= {f"/v2/{name}/manifests/{ref}": body for ref in (tag, digest)}
        return digest


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@contextmanager
def registry() -> Iterator[Registry]:
    """It runs as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"{}" if self.path == "/v2/" else made.manifests.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", KIND)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Registry(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
