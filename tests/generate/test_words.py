"""What may go into a template, and what must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxyswitch.generate import words

# what could end a directive, a line or a string in one of the formats
BREAKING = ["a\nb", "a\rb", "a\0b", "a;b", "a{b", "a}b", 'a"b', "a'b", "a`b", "a$b", "a\\b", "a#b", "a b", "", " a", "a\n"]


@pytest.mark.parametrize("text", BREAKING)
@pytest.mark.parametrize("word", [words.name, words.domain, words.user, words.image, words.network, words.version])
def test_what_breaks_out_is_refused_everywhere(word: words.Word, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        word(text)


@pytest.mark.parametrize("text", [f"/{text}" for text in BREAKING if " " not in text and text])
@pytest.mark.parametrize("word", [words.path, words.url_path])
def test_and_in_paths(word: words.Word, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        word(text)


@pytest.mark.parametrize(
    ("word", "text", "value"),
    [
        (words.name, "shop-2_b", "shop-2_b"),
        (words.domain, "Shop.Example.COM", "shop.example.com"),
        (words.domain, "*.example.com", "*.example.com"),
        (words.domain, "localhost", "localhost"),
        (words.port, "8080", 8080),
        (words.path, "/srv/my shop/app.sock", "/srv/my shop/app.sock"),
        (words.url_path, "/health?full=1", "/health?full=1"),
        (words.time, "500ms", 0.5),
        (words.size, "10M", 10 * 1024**2),
        (words.user, "www-data", "www-data"),
        (words.command, "bin/app --name 'a b'", ("bin/app", "--name", "a b")),
        (words.image, "registry.example.com:5000/shop:1.2", "registry.example.com:5000/shop:1.2"),
        (words.network, "10.0.0.0/8", "10.0.0.0/8"),
        (words.network, "::1", "::1/128"),
        (words.version, "1.26.3", (1, 26, 3)),
        (words.yes, "no", False),
    ],
)
def test_good_words(word: words.Word, text: str, value: object) -> None:
    assert word(text) == value


@pytest.mark.parametrize(
    ("word", "text", "says"),
    [
        (words.name, "2shop", "a letter first"),
        (words.name, "a" * 64, "63 at most"),
        (words.domain, "müller.example", "xn--"),
        (words.domain, "-a.example", "no domain"),
        (words.domain, "a..b", "no domain"),
        (words.domain, "http://a.example", "no domain"),
        (words.domain, f"{'a' * 64}.example", "no domain"),
        (words.port, "0", "from 1 to 65535"),
        (words.port, "65536", "from 1 to 65535"),
        (words.port, "-1", "expected a number"),
        (words.port, "٣", "expected a number"),
        (words.path, "srv/web", "absolute"),
        (words.url_path, "health", "as /health"),
        (words.time, "soon", "no duration"),
        (words.size, "10X", "an amount"),
        (words.user, "Root User", "no name of a user"),
        (words.command, "a 'b", "no closing quotation"),
        (words.command, "  ", "empty"),
        (words.command, "a\nb", "one line"),
        (words.image, "shop:{version}", "no name of an image"),
        (words.network, "10.0.0.1/8", "host bits set"),
        (words.version, "1", "no version"),
        (words.version, "1.2.x", "no version"),
        (words.yes, "maybe", "yes or no"),
        (words.address, "127.0.0.1", "port is missing"),
        (words.address, "unix:/a b", "must not contain"),
    ],
)
def test_bad_words_say_what_is_expected(word: words.Word, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        word(text)


@pytest.mark.parametrize("make", [lambda: words.one_of("a", "b"), lambda: words.number(1, 5)])
def test_a_choice_says_what_there_is(make: Callable[[], words.Word]) -> None:
    with pytest.raises(ValueError, match=r"a or b|from 1 to 5"):
        make()("9")
