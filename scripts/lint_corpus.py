#!/usr/bin/env python3
"""Lint the configs of nginx and HAProxy in Debian's packages and in fixtures/; print each error, to be read by a person.

Needs apt and dpkg, and the network: the packages are downloaded into a temporary folder, none is installed. The numbers of
docs/guide-lint.md come from here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))

from proxyswitch.lint import kinds, run  # noqa: E402  # from this checkout, wherever it is called
from proxyswitch.lint.finding import Finding, Source  # noqa: E402
from proxyswitch.lint.options import Options  # noqa: E402

# Those with a config, or an example of one, as their lists of files say (Debian 12, main).
_PACKAGES = (
    "acmetool crmsh dhelp dump1090-mutability fcgiwrap golang-github-smallstep-certificates-dev groonga-httpd"
    " gunicorn-examples haproxy homer-api json2file-go kea-doc lacme ldap-account-manager ledgersmb"
    " lemonldap-ng-handler libdd-opentracing0 liblemonldap-ng-manager-perl liblemonldap-ng-portal-perl"
    " mailman3-web monitoring-plugins-contrib munin nginx-common nginx-doc node-faye-websocket node-sockjs patroni"
    " pcp phpsysinfo python3-certbot-nginx python3-hug-doc radicale redmine rss-bridge samizdat searx sisu"
    " sugarplum thin tryton-server-nginx unicorn wordpress zabbix-frontend-php zoneminder"
)
OTHERS = (
    ".j2",
    ".erb",
    ".py",
    ".rb",
    ".js",
    ".md",
    ".html",
    ".svg",
    ".gz",
    ".vim",
    ".md5sum",
    ".sh",
    ".pl",
    ".init",
    ".php",
    ".te",
)
PLACES = ("/rsyslog.d/", "tmpfiles.d/", "/man/", "/pmdas/", "/modules-available/")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        unpack(Path(folder))
        of_packages = [path for path in sorted(Path(folder, "files").rglob("*")) if fits(path)]
        of_ours = [
            path for name in ("nginx", "haproxy") for path in sorted((REPO / "fixtures" / name).rglob("*")) if path.is_file()
        ]
        for title, paths, top in (("packages", of_packages, Path(folder, "files")), ("fixtures", of_ours, REPO)):
            report(title, list(judged(paths)), top)
    return 0


def unpack(folder: Path) -> None:
    """Download the packages, and lay out what is in them."""
    (folder / "files").mkdir()
    for package in _PACKAGES.split():
        subprocess.run(["/usr/bin/apt-get", "download", "-q", package], cwd=folder, check=True, capture_output=True)
    for archive in folder.glob("*.deb"):
        subprocess.run(["/usr/bin/dpkg", "-x", archive, folder / "files" / archive.name.partition("_")[0]], check=True)


def fits(path: Path) -> bool:
    """Whether a file of a package looks as if it were for nginx or HAProxy."""
    text = str(path).lower()
    named = ("nginx" in text or "haproxy" in text) and ("/etc/" in text or "example" in text or "conf" in text)
    return named and path.is_file() and not text.endswith(OTHERS) and not any(place in text for place in PLACES)


def judged(paths: list[Path]) -> Iterator[tuple[Path, str, list[Finding]]]:
    """Each file that is a config, with its kind and what is found in it."""
    for path in paths:
        source = Source(str(path), path.read_bytes())
        kind = kinds.kind_of(source) if b"\0" not in source.data else ""
        if kind in ("nginx", "haproxy"):
            yield path, kind, run([source], kind, Options())


def report(title: str, files: list[tuple[Path, str, list[Finding]]], top: Path) -> None:
    per_kind = Counter(kind for _, kind, _ in files)
    levels = Counter(f.level for _, _, found in files for f in found)
    print(f"{title}: {per_kind['nginx']} files of nginx, {per_kind['haproxy']} of HAProxy: ", end="")
    print(", ".join(f"{levels[level]} {level}" for level in ("error", "warning", "info")))
    for path, _, found in files:
        for f in found:
            if f.level == "error":
                print(f"  {path.relative_to(top)}:{f.line}:{f.column}: {f.rule}: {f.message}")


if __name__ == "__main__":
    sys.exit(main())
