"""Addresses in what a bot wrote."""

from __future__ import annotations

import pytest

from gateway.generation.downloads import MAX_FILES, find_addresses
from tests.growth import assert_linear


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("![image.png](https://a/i.png)\n\nhttps://a/i.png", ["https://a/i.png"]),
        ('![a](https://a/1.png "a title") and ![b](https://a/2.png)', ["https://a/1.png", "https://a/2.png"]),
        ("![a](https://a/wiki_(x).png)", ["https://a/wiki_(x).png"]),
        ("![a](<https://a/with)paren.png>)", ["https://a/with)paren.png"]),
        ("see [this](https://a/1.png).", ["https://a/1.png"]),
        ("(https://a/1.png)", ["https://a/1.png"]),
        ("<https://a/1.png>, or https://a/2.png!", ["https://a/1.png", "https://a/2.png"]),
        ("**https://a/1.png**", ["https://a/1.png"]),
        ("https://a/x?y=1&z=(2)", ["https://a/x?y=1&z=(2)"]),
        ("Sketch: http://127.0.0.1:1/s.png", ["http://127.0.0.1:1/s.png"]),
        ("https://a/1.png, again https://a/1.png", ["https://a/1.png"]),
        ("no address, but file:///etc/passwd and javascript:x", []),
        ("", []),
        ("https://a/" + "x" * 5000, []),
        (" ".join(f"https://a/{n}" for n in range(100)), [f"https://a/{n}" for n in range(MAX_FILES)]),
    ],
)
def test_addresses_are_found_whole_and_without_what_stands_around_them(text: str, addresses: list[str]) -> None:
    assert find_addresses(text) == addresses


def test_a_long_text_of_brackets_is_read_quickly() -> None:
    for before, repeated in (("", "!["), ("![a](https://a/", "("), ("![a](https://a/", "()")):

        def find(size: int, text: tuple[str, str] = (before, repeated)) -> None:
            assert find_addresses(text[0] + text[1] * size) == []

        assert_linear(find, 5_000)
