"""Which kind a file is of: by its name; by its text where such files have no name of their own, as in sites-available."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

from proxyswitch.lint.finding import Source

# Globs of the whole path, in lower case, with a slash before it; a `*` may stand for folders too.
TEMPLATES = ("*.j2", "*.jinja", "*.jinja2", "*.tmpl", "*.tpl", "*.template", "*.erb", "*.epp", "*.mustache", "*.ctmpl")
# Files of other programs, wherever they lie.
OTHERS = (
    *("*.toml", "*.ini", "*.cnf", "*.yml", "*.yaml", "*.json", "*.xml", "*.md", "*.rst"),
    *("*.py", "*.sh", "*.js", "*.ts", "*.php", "*.rb", "*.lua", "*.vcl"),
    *("*/setup.cfg", "*/tox.cfg", "*/mypy.cfg", "*/buildout.cfg", "*/ansible.cfg", "*/grub.cfg"),
    *("*/httpd*.conf", "*/apache*.conf", "*/redis*.conf", "*/supervisord*.conf", "*/php-fpm*.conf", "*/named*.conf"),
    *("*/dhcpd*.conf", "*/postgresql*.conf", "*/keepalived*.conf", "*/logrotate*.conf", "*/sshd_config", "*/ssh_config"),
)
# The first that fits decides.
NAMES: tuple[tuple[str, str], ...] = (
    ("*.sql", "sql"),
    ("*/proxyswitch.toml", "settings"),
    ("*/haproxy*.cfg", "haproxy"),
    ("*.haproxy.cfg", "haproxy"),
    ("*.haproxy", "haproxy"),
    ("*/haproxy*/*.cfg", "haproxy"),
    ("*/nginx*.conf", "nginx"),
    ("*.nginx.conf", "nginx"),
    ("*.nginx", "nginx"),
    ("*.nginxconf", "nginx"),
    ("*/nginx*/*.conf", "nginx"),
)
# Where nginx's files lie, and those of others: a text that nobody else writes is enough.
PLACES = ("*/sites-available/*", "*/sites-enabled/*", "*/conf.d/*.conf")

_HAPROXY = re.compile(
    rb"^[ \t]*(?:global|defaults|frontend[ \t]+\S+|backend[ \t]+\S+|listen[ \t]+\S+)[ \t]*(?:#[^\n]*|from[^\n]*)?\r?$", re.M
)
# Blocks and directives that no other program writes so; by far not all. A block goes first: `listen 80` could be HAProxy's.
_BLOCK = re.compile(
    rb"^[ \t]*(?:(?:http|events|stream|server)\s*\{|upstream\s+\S+\s*\{|location\s[^{};\n]+\{"
    rb"|(?:map|geo|split_clients)\s[^{};\n]+\s\$\w+\s*\{)",
    re.M,
)
_DIRECTIVE = re.compile(
    rb"^[ \t]*(?:(?:proxy|fastcgi|uwsgi|scgi|grpc|ssl|gzip|limit_req|limit_conn|worker|keepalive|client)_\w+|add_header"
    rb"|server_name|listen|root|index|return|rewrite|try_files|access_log|error_log|log_format|resolver|server|set|gzip"
    rb"|expires|deny)\s[^;{}]*;",
    re.M,
)
_APACHE = re.compile(rb"^[ \t]*</?[A-Za-z]", re.M)
_SAYS_SOMETHING = re.compile(rb"^[ \t]*[^#\s]", re.M)


def kind_of(source: Source) -> str:
    """The kind of a file; '' for one that is not known."""
    path = _path(source.path)
    named = next((kind for glob, kind in NAMES if fnmatchcase(path, glob)), "")
    if named in ("sql", "settings"):
        return named
    if template(source.path) or _fits(path, OTHERS) or source.data.startswith(b"#!") or _APACHE.search(source.data):
        return ""
    return named or _by_text(source.data, place=_fits(path, PLACES))


def template(path: str) -> bool:
    """Whether a file only becomes a config when a tool has filled it in."""
    return _fits(_path(path), TEMPLATES)


def _path(path: str) -> str:
    """As the globs have it: from the working folder, whose own name and those above it say nothing of a file."""
    near = os.path.relpath(path)
    return f"/{path if near.startswith('..') else near}".lower()


def _fits(path: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, glob) for glob in globs)


def _by_text(data: bytes, *, place: bool) -> str:
    if _BLOCK.search(data):
        return "nginx"
    if _HAPROXY.search(data):
        return "haproxy"
    return "nginx" if _DIRECTIVE.search(data) or (place and not _SAYS_SOMETHING.search(data)) else ""
