"""Mozilla's recommendations for TLS, as data: templates/tls/mozilla.json, with their version.

Source: https://github.com/mozilla/ssl-config-generator, src/static/guidelines/6.0.json (facts only).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from proxyswitch import resources

PROFILES = ("intermediate", "modern")
POST_QUANTUM = "X25519MLKEM768"


@dataclass(frozen=True)
class Tls:
    """One profile. `ciphers` are for TLS 1.2, `suites` for TLS 1.3, in OpenSSL's words; `hsts` is in seconds."""

    profile: str
    guidelines: str
    protocols: tuple[str, ...]
    ciphers: tuple[str, ...]
    suites: tuple[str, ...]
    curves: tuple[str, ...]
    hsts: int

    @property
    def oldest(self) -> str:
        """The lowest version of TLS, as TLSv1.2."""
        return self.protocols[0]


def profile(name: str, openssl: tuple[int, ...]) -> Tls:
    """A profile as that OpenSSL can do it: the post-quantum curve is known from 3.5 on, and an older one refuses it."""
    data = _data()
    said = data["configurations"][name]
    curves = tuple(curve for curve in said["tls_curves"] if curve != POST_QUANTUM or openssl >= (3, 5))
    return Tls(
        name,
        str(data["version"]),
        tuple(said["tls_versions"]),
        tuple(said["ciphers"]["openssl"]),
        tuple(said["ciphersuites"]),
        curves,
        said["hsts_min_age"],
    )


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    with open(resources.find("templates/tls/mozilla.json"), "rb") as file:
        found: dict[str, Any] = json.load(file)
    return found
