from __future__ import annotations

SHOP = "--name shop --blue 127.0.0.1:3001 --green 127.0.0.1:3002"

CASES = {
    "haproxy-plain": f"haproxy {SHOP} --haproxy-version 2.6",
    "haproxy-private": (
        "haproxy --name shop --blue unix:/home/ann/shop/blue.sock --green unix:/home/ann/shop/green.sock --private"
        " --socket /home/ann/haproxy/admin.sock --bind 127.0.0.1 --stats-port 0 --trust 127.0.0.1 --haproxy-version 2.6"
    ),
    "haproxy-tls": f"haproxy {SHOP} --cert /etc/haproxy/shop.pem --hsts --haproxy-version 3.2 --openssl-version 3.5",
    "haproxy-tls-modern": (
        "haproxy --name shop --blue [::1]:3001 --green [::1]:3002 --bind :: --port 8080 --tls-port 8443 --tls modern"
        " --cert /etc/letsencrypt/live/shop.example.com/fullchain.pem"
        " --key /etc/letsencrypt/live/shop.example.com/privkey.pem"
        " --log-format json --log /dev/log --trust 10.0.0.0/8 --trust 192.0.2.7 --state-file none"
        " --haproxy-version 3.0 --openssl-version 3.0"
    ),
    "haproxy-backend": f"haproxy-backend {SHOP} --haproxy-version 2.6",
    "haproxy-backend-names": (
        "haproxy-backend --name shop --blue blue.shop.internal:80 --green green.shop.internal:80 --pool shop"
        " --health /up?deep=1 --health-host shop.example.com --health-status 200-299 --interval 500ms --slowstart 0"
        " --server-timeout 5m --tunnel-timeout 4h --haproxy-version 2.6"
    ),
}
