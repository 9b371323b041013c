"""Cases for the kinds of nginx, each for the nginx of its `--nginx-version`."""

from __future__ import annotations

SLOTS = "--blue 127.0.0.1:3001 --green 127.0.0.1:3002"
TLS = "--certificate /etc/ssl/shop/fullchain.pem --certificate-key /etc/ssl/shop/privkey.pem"

CASES = {
    "nginx-site": f"nginx-site --name shop --domain shop.example.com {SLOTS} --nginx-version 1.22",
    "nginx-site-reload": (
        f"nginx-site --name shop --domain shop.example.com {SLOTS} --mode reload --no-websocket --health /"
        " --listen 127.0.0.5 --listen ::1 --http-port 8080 --access-log off --nginx-version 1.30"
    ),
    "nginx-site-tls-old": (
        f"nginx-site --name shop --domain shop.example.com --domain *.shop.example.com {SLOTS} {TLS}"
        " --max-body 200M --nginx-version 1.22 --openssl-version 3.0"
    ),
    "nginx-site-tls-new": (
        f"nginx-site --name shop --domain shop.example.com --domain *.shop.example.com {SLOTS} {TLS} --tls modern"
        " --hsts 63072000 --trust 10.0.0.0/8 --trust fd00::/8 --status-port 8081 --tries /var/log/nginx/shop.tries.log"
        " --sticky cookie:session --nginx-version 1.30 --openssl-version 3.5"
    ),
    "nginx-site-reload-tls": (
        "nginx-site --name shop --domain shop.example.com --blue web-blue:3000 --green web-green:3000 --mode reload"
        f" {TLS} --no-redirect --no-http2 --hsts 300 --nginx-version 1.26 --openssl-version 3.5"
    ),
    "nginx-site-whole": (
        "nginx-site --name shop --domain shop.example.com --blue unix:/run/shop/blue.sock --green [::1]:3002"
        f" {TLS} --https-port 8443 --whole --user www-data --nginx-version 1.26 --openssl-version 3.5"
    ),
    "nginx-site-own": (
        f"nginx-site --name shop --domain localhost {SLOTS} --listen 127.0.0.1 --http-port 8080 --whole --run-dir /srv/shop"
        " --workers 2 --nginx-version 1.22"
    ),
    "nginx-upstream": f"nginx-upstream --name shop {SLOTS} --nginx-version 1.22",
    "nginx-upstream-instant": (
        "nginx-upstream --name shop --blue unix:/run/shop/blue.sock --green [::1]:3002 --mode instant --nginx-version 1.26"
    ),
    "nginx-upstream-names": (
        "nginx-upstream --name shop --blue web-blue:3000 --green web-green:3000 --resolver 127.0.0.53 --resolver ::1"
        " --nginx-version 1.30"
    ),
}
