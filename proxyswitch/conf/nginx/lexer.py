"""nginx's tokenizer, as spans.

The rules are those of `ngx_conf_read_token` (src/core/ngx_conf_file.c), which differ from a shell's:

- only space, tab, CR and LF separate words; `;` and `{` end one wherever they stand outside quotes;
- a quote counts only at the start of a word, and after its end a separator, `;`, `{` or `)` must follow;
- `#` starts a comment only at the start of a word; `}` closes a block only there;
- a backslash takes the next byte with it, in and out of quotes; `${` does not open a block;
- in the value, a backslash goes from `\\"`, `\\'` and `\\\\`, and `\\t`, `\\r`, `\\n` become the control character.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxyswitch.conf.text import position
from proxyswitch.errors import ConfigError

# One token with what may stand before it. The groups are told apart by number: m.lastindex.
WORD, END, OPEN, CLOSE = 1, 2, 3, 4
_TOKEN = re.compile(
    rb"""(?:[ \t\r\n]++|\#[^\n]*+)*+
    (?:
      ( "(?:[^"\\]++|\\.)*+" | '(?:[^'\\]++|\\.)*+' | (?!["'};{])(?:[^ \t\r\n;{\\$]++|\\.|\$\{*+)++ )
    | (;) | (\{) | (\})
    )?+""",
    re.VERBOSE | re.DOTALL,
)
next_token: Callable[[bytes, int], re.Match[bytes]] = _TOKEN.match  # type: ignore[assignment]  # can match nothing

AFTER_QUOTE = frozenset(b" \t\r\n;{)")
_ESCAPE = re.compile(rb"""\\(["'\\trn])""")
_CONTROL = {b"t": b"\t", b"r": b"\r", b"n": b"\n"}


def value(data: bytes, start: int, end: int) -> bytes:
    """The meaning of the word at `start:end`: without its quotes and escapes."""
    word = data[start:end]
    if word[:1] in (b'"', b"'"):
        word = word[1:-1]
    if b"\\" not in word:
        return word
    return _ESCAPE.sub(lambda m: _CONTROL.get(m[1], m[1]), word)


def error(data: bytes, offset: int, what: str, path: str) -> ConfigError:
    """A syntax error at that offset, with file, line and column."""
    where = position(data, min(offset, len(data)))
    return ConfigError(what, path=path, line=where.line, column=where.column)


# What the lexer of lua-nginx-module skips when it looks for the brace that ends a block: comments, strings, long
# brackets (ngx_http_lua_lex.rl of that module).
_LUA = re.compile(
    rb"""--\[(=*)\[.*?\]\1\] | --[^\n]*+ | \[(=*)\[.*?\]\2\]
    | "(?:[^"\\\n]++|\\.)*+" | '(?:[^'\\\n]++|\\.)*+' | ([{}])""",
    re.VERBOSE | re.DOTALL,
)


def lua_block_end(data: bytes, start: int, path: str) -> int:
    """The offset of the `}` that closes the Lua block whose code begins at `start`."""
    depth = 1
    for match in _LUA.finditer(data, start):
        depth += {b"{": 1, b"}": -1}.get(match[3] or b"", 0)
        if depth == 0:
            return match.start()
    raise error(data, start, 'the Lua block is not closed, expected "}"', path)
