from __future__ import annotations

GUNICORN = "--command '/srv/shop/current/venv/bin/gunicorn --bind 127.0.0.1:8000 --workers 2 shop:app'"
PROGRAM = "--program /usr/local/bin/proxyswitch"

CASES = {
    "systemd": "systemd --name shop --command 'bin/server --port {port}' --environment-file '/etc/shop/{slot}.env' "
    "--secrets /etc/shop/secrets.env --writable /srv/shop/uploads --grace 60s --memory 512M --tasks 200 --no-jit",
    "systemd-gunicorn": f"systemd --name shop --unit shop {GUNICORN}",
    "systemd-gunicorn-pidfile": f"systemd --name shop --unit shop {GUNICORN} --pidfile /run/shop/shop.pid",
    "systemd-user": "systemd --name shop --scope user --command 'node server.js' --current '/home/deploy/slots/{slot}'",
    "systemd-timer": "systemd-timer --name shop --run 'deploy shop' --at 'Sat 03:05' "
    f"--settings /srv/shop/proxyswitch.toml {PROGRAM}",
    "systemd-timer-switch": "systemd-timer --name shop --run 'switch shop_backend green --drain 60s' --persistent "
    f"--at '*-*-01 04:00:00 Europe/Berlin' --scope user {PROGRAM}",
    "systemd-timer-cron": "systemd-timer --name shop --run 'deploy shop --version 10%' --cron '5 3 * * sat' --user deploy "
    f"--settings /srv/shop/proxyswitch.toml {PROGRAM}",
    "logrotate": "logrotate --name shop --nginx-log /var/log/nginx/tries/shop.log "
    "--app-log '/var/lib/proxyswitch/apps/shop/logs/shop-*.log'",
    "logrotate-user": "logrotate --name shop --app-log '/home/deploy/.local/state/proxyswitch/apps/shop/logs/shop-*.log' "
    "--user deploy --size 1G --keep 3",
}
