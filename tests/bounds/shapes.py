"""Inputs that can be made in any size: what comes first, what is repeated, what comes last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """A family of texts. `middle` stands between as many units before as `after` says there are behind it."""

    unit: str
    prefix: str = ""
    suffix: str = ""
    closing: str = ""
    """Repeated as often as the unit, behind it: what closes what the units opened."""

    def make(self, size: int) -> str:
        """About `size` characters."""
        count = max(1, size // max(1, len(self.unit) + len(self.closing)))
        return f"{self.prefix}{self.unit * count}{self.closing * count}{self.suffix}"


# Unclosed, escaped, nested, repeated: what breaks parsers of any language.
COMMON = tuple(
    Shape(*parts)
    for parts in (
        ("a",),
        (" ",),
        ("\n",),
        ("\r\n",),
        ("\\",),
        ('"',),
        ('\\"', '"'),
        ('\\"', '{"a":"'),
        ("\\u0041", '"'),
        ("\\ud83d", '"', '"'),
        ("{",),
        ("[", "", "", "]"),
        ("[",),
        ('{"a":', "", "1", "}"),
        ('{"a":',),
        ('["', "", "", '"]'),
        ("{}",),
        ("[],", "[", "1]"),
        ('{"a":1},', "[", "1]"),
        ('"a":1,', "{", '"b":1}'),
        ('"a,}",', "["),
        (",", "[", "]"),
        (", ", "{", "}"),
        ("}",),
        ("<",),
        ("<a ",),
        ("<!--",),
        ("</",),
        ("&#",),
        ("%41",),
        ("%",),
        ("9",),
        ("9", "-"),
        ("0", "1."),
        (":",),
        (";",),
        ("=",),
        ("/",),
        ("../",),
        (".",),
        ("a.",),
        (".", "a"),
        ("-",),
        ("_",),
        ("`",),
        ("```\n",),
        ("(",),
        ("(", "", "", ")"),
        (")",),
        ("![",),
        ("![](", "", ")"),
        ("[](",),
        ("![a](https://a/", "", ""),
        ("![a](https://a/b)\n",),
        ("https://a.example/b ",),
        ("https://",),
        (".", "https://a"),
        (")", "https://a"),
        ("é",),
        ("😀",),
        ("\ud800",),
        ("\x00",),
        ("é", "", "\x00"),
        ("def f(x):\\n    return {\\\"a\\\": [x, 'b']}  # \\\\ comment\\n", '{"content":"'),
    )
)
