"""What the golden files are made by: a name for each, and the words of the command. Versions are named, so that each machine
makes the same. Every kind has one case at least."""

from __future__ import annotations

from tests.generate.cases import ci, containers, haproxy, nginx, units

CASES: dict[str, str] = {**ci.CASES, **containers.CASES, **haproxy.CASES, **nginx.CASES, **units.CASES}
