"""Where `scripts/setup test` keeps what Debian has no package of."""

from __future__ import annotations

import sys
from pathlib import Path

STORE = Path(sys.prefix) / "runners"
ROOT = STORE / "root.tar"
TOOLS = STORE / "tools" / "bin"  # pre-commit, prek, gixy
