"""The real app runners, each started by the tests themselves: Docker (Compose 1 and 2, Swarm), systemd, PM2, gunicorn.

`scripts/setup test` installs them. The fixtures are in `docker.py`, `systemd.py` and `pm2.py`; each says how it is used.
`tests/conftest.py` loads them for all tests.
"""
