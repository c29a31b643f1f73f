"""Credentials of an account. Their values never appear in a repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebCredentials:
    """The user's own browser cookies and, optionally, values that the browser's pages derive.

    Only `p_b` is needed (docs/reference/poe-web.md#cookies). `form_key` saves the derivation from the home page;
    `revision` is sent as `Poe-Revision` when set; the Cloudflare cookies are sent when set.
    """

    p_b: str = field(repr=False)
    p_lat: str | None = field(default=None, repr=False)
    cf_clearance: str | None = field(default=None, repr=False)
    cf_bm: str | None = field(default=None, repr=False)
    form_key: str | None = field(default=None, repr=False)
    revision: str | None = field(default=None, repr=False)
    user_agent: str | None = None

    @classmethod
    def from_mapping(cls, values: Mapping[str, str | None]) -> WebCredentials:
        """Read credentials from stored or typed names, with the original's spellings accepted.

        Raises `ValueError`, naming no value, when `p_b` is missing or a value can't be sent in a header.
        """
        # People paste values with line ends.
        known = {_canonical(name): value.strip() for name, value in values.items() if value and value.strip()}
        for name, value in known.items():
            # A semicolon would begin another cookie; user agents have them.
            if not value.isascii() or not value.isprintable() or (";" in value and name != "user_agent"):
                raise ValueError(f"credential {name} has characters that can't be sent")
        if "p_b" not in known:
            raise ValueError("credential p_b is missing")
        return cls(**{name: known[name] for name in _WEB_NAMES if name in known})


@dataclass(frozen=True, slots=True)
class OfficialCredentials:
    """An API key of Poe's documented API."""

    api_key: str = field(repr=False)

    @classmethod
    def from_mapping(cls, values: Mapping[str, str | None]) -> OfficialCredentials:
        """Read the key. Raises `ValueError`, naming no value, when it is missing or can't be sent in a header."""
        api_key = (values.get("api_key") or "").strip()
        if not api_key:
            raise ValueError("credential api_key is missing")
        if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError("credential api_key has characters that can't be sent")
        return cls(api_key)


_WEB_NAMES = ("p_b", "p_lat", "cf_clearance", "cf_bm", "form_key", "revision", "user_agent")
_SPELLINGS = {
    "formkey": "form_key",
    "poe_revision": "revision",
    "__cf_bm": "cf_bm",
    "poe_p_b": "p_b",
    "poe_cf_clearance": "cf_clearance",
    "poe_cf_bm": "cf_bm",
}


def _canonical(name: str) -> str:
    name = name.replace("-", "_")
    return _SPELLINGS.get(name, name)
