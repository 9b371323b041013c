"""A `;` is missing at the end of a line: what was meant as the next directive is read as more words of this one.

nginx refuses most of it, with a message about the number of arguments. Worse is what it takes: in a list such as `index` or
`server_name` the next directive is gone without a word.

FAIL
    location / {
        proxy_set_header Host $host
        proxy_pass http://app;
    }

FAIL
    server {
        server_name example.com www.example.com
        client_max_body_size 10m;
    }

FAIL
    upstream app {
        server 127.0.0.1:3001
        server 127.0.0.1:3002;
    }

PASS
    http {
        log_format long "$remote_addr $status "
            "$request";
        server {
            server_name example.com
                        www.example.com;
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import semicolons
from proxyswitch.lint.nginx.contexts import directives_with_contexts
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/missing-semicolon"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for item, bits in directives_with_contexts(config):
        for number in semicolons.missing(item, bits):
            yield item.found(f"a ; is missing at the end of this line, before {item.args[number - 1]}", word=number - 1)
