"""The files that come with the package: templates and the sample app. From a wheel, or from a checkout."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def find(name: str) -> Path:
    """The path of `templates/…` or `fixtures/…`. Raises FileNotFoundError."""
    for root in (HERE / "data", HERE.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} did not come with this installation of proxyswitch")
