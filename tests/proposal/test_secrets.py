"""No secret of a command line gets into a file, or onto a screen."""

from __future__ import annotations

import pytest

from proxyswitch.proposal.secrets import mask

SECRET = "hunter2"


@pytest.mark.parametrize(
    "words",
    [
        ("run", f"--password={SECRET}"),
        ("run", "--password", SECRET),
        ("run", "--db-passwd", SECRET, "-v"),
        ("run", f"--api-key={SECRET}"),
        ("run", f"--database=postgres://me:{SECRET}@db/shop"),
        ("run", f"redis://:{SECRET}@127.0.0.1"),
        ("sh", "-c", f"SECRET_KEY_BASE={SECRET} ./run --port 3001"),
        ("sh", "-c", f"DB_PASSWORD='{SECRET}' exec ./run"),
        ("sh", "-c", f"./run --token {SECRET}"),
        ("run", f"-Dspring.datasource.password={SECRET}"),
        ("run", f"http://127.0.0.1/?token={SECRET}"),
        ("run", "--auth", f"me:{SECRET}"),
        ("run", f"Authorization: {SECRET}"),
        ("run", f"Authorization: Bearer {SECRET}"),
        ("run", "--header", f"X-Auth-Token:{SECRET}"),
    ],
)
def test_it_is_masked(words: tuple[str, ...]) -> None:
    shown = mask(words)
    assert shown != words
    assert SECRET not in " ".join(shown)


def test_a_long_word_of_letters_and_digits_is_masked() -> None:
    assert mask(("run", "ghp_16C7e42F292c6912E7710c838347Ae178B4a")) == ("run", "FILL_IN")


@pytest.mark.parametrize(
    "words",
    [
        ("/usr/bin/python3", "/srv/web/releases/20260102-131415/app.py", "--port", "3001"),
        ("node", "/srv/web/node_modules/.bin/next", "start", "-p", "3001"),
        ("gunicorn", "-b", "127.0.0.1:3001", "-w", "4", "--keep-alive", "5", "shop.wsgi:application"),
        ("java", "-Xmx512m", "-jar", "/srv/passenger/monkey.jar"),
        ("/usr/sbin/uwsgi", "--ini", "/etc/uwsgi/web.ini"),
    ],
)
def test_what_is_none_stays(words: tuple[str, ...]) -> None:
    assert mask(words) == words
