"""nginx config text: lexer, directive tree, include chain, pools, edits."""

from proxyswitch.conf.nginx.tree import Directive, Document, parse

__all__ = ["Directive", "Document", "parse"]
