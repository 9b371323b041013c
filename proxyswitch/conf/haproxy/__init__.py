"""HAProxy config text: word splitting, sections, several files as one config, pools, edits."""

from proxyswitch.conf.haproxy.document import Document, parse

__all__ = ["Document", "parse"]
