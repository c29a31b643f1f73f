"""The CORS setting of a Function URL: Lambda answers preflights by itself and adds headers to the answers.

What Lambda makes of a `*` in `AllowHeaders` could not be tried. If it sends the `*` on, browsers do not take it for
`authorization`, nor for anything where credentials are allowed (Fetch standard, CORS-preflight fetch). So here it does
not cover these either: what works here works whatever Lambda does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """`FunctionUrlConfig.Cors`, as in CloudFormation."""

    allow_origins: Sequence[str] = ()
    allow_methods: Sequence[str] = ()
    allow_headers: Sequence[str] = ()
    expose_headers: Sequence[str] = ()
    max_age_seconds: int | None = None
    allow_credentials: bool = False

    def preflight(self, method: str, headers: Mapping[str, str]) -> Headers | None:
        """Headers that answer this request if it is a preflight; `None` if the function must see it."""
        requested = headers.get("access-control-request-method")
        if method != "OPTIONS" or requested is None or "origin" not in headers:
            return None
        answer = self.response_headers(headers)
        if not answer:
            return []
        if _allows(self.allow_methods, requested):
            answer.append(("Access-Control-Allow-Methods", ",".join(self.allow_methods)))
        if self.allow_headers:
            wanted = headers.get("access-control-request-headers", "")
            names = [name.strip() for name in wanted.split(",") if self._allows_header(name.strip())]
            answer.append(("Access-Control-Allow-Headers", ",".join(names) or ",".join(self.allow_headers)))
        if self.max_age_seconds is not None:
            answer.append(("Access-Control-Max-Age", str(self.max_age_seconds)))
        return answer

    def _allows_header(self, name: str) -> bool:
        named = [allowed.lower() for allowed in self.allow_headers]
        if name.lower() in named:
            return True
        return "*" in named and name.lower() != "authorization" and not self.allow_credentials

    def response_headers(self, headers: Mapping[str, str]) -> Headers:
        """Headers to add to any answer; none without an `Origin`, or for one that is not allowed."""
        origin = headers.get("origin")
        if origin is None or not _allows(self.allow_origins, origin):
            return []
        is_any = "*" in self.allow_origins and not self.allow_credentials
        answer = [("Access-Control-Allow-Origin", "*" if is_any else origin), ("Vary", "Origin")]
        if self.expose_headers:
            answer.append(("Access-Control-Expose-Headers", ",".join(self.expose_headers)))
        if self.allow_credentials:
            answer.append(("Access-Control-Allow-Credentials", "true"))
        return answer


def _allows(allowed: Sequence[str], value: str) -> bool:
    return "*" in allowed or value.lower() in (entry.lower() for entry in allowed)
