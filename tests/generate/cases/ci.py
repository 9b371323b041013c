from __future__ import annotations

ALL = "--check database --check redis --check http"

CASES = {
    "github-actions": "github-actions --name shop --health-url https://shop.example.com/health --test 'npm ci'"
    " --test 'npm test' --build 'npm run build'",
    "github-actions-image": "github-actions --name shop --image registry.example.com/shop --runner web1"
    " --proxyswitch 'sudo --preserve-env=PROXYSWITCH_CONFIG proxyswitch'",
    "github-actions-local-image": "github-actions --name shop --image shop --branch release/1.x --builder ubuntu-24.04",
    "gitlab-ci": "gitlab-ci --name shop --health-url https://shop.example.com/health --test 'npm ci' --test 'npm test'"
    " --build 'npm run build'",
    "gitlab-ci-image": "gitlab-ci --name shop --image registry.example.com/shop --runner web1 --builder docker",
    "health-django": f"health --framework django {ALL}",
    "health-express": f"health --framework express {ALL}",
    "health-fastapi": f"health --framework fastapi {ALL}",
    "health-flask": f"health --framework flask {ALL}",
    "health-flask-redis": "health --framework flask --check redis --health /status/health --timeout 500ms",
    "health-go": f"health --framework go {ALL}",
    "pre-commit": "pre-commit --repo https://example.com/proxyswitch --rev v0.1.0",
    "pre-commit-all": "pre-commit --repo git@example.com:tools/proxyswitch.git --rev v0.1.0 --haproxy --sql"
    " --sql-files ^migrations/ --nginx-files '^deploy/.*[.]conf$' --whole --system",
}
