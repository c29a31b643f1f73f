"""W3C Trace Context: the trace that a request belongs to, as its caller names it. Pure, but for the random span.

`current` holds the header for requests to Poe's documented API while a request is served; nothing is made up where the
caller named no trace, and the web API gets none.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar

from lazy_dataclasses import dataclass

HEADER = "traceparent"
current: ContextVar[str | None] = ContextVar("poe_traceparent", default=None)
"""The value of `traceparent` for requests that are made on behalf of the one that is served."""

# Version, trace, parent, flags (https://www.w3.org/TR/trace-context-1/#traceparent-header-field-values).
_FIELDS = rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?"
_MAX_BYTES = 256
_KNOWN_FLAGS = 0x03  # sampled, random


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace, and our span in it."""

    trace_id: str
    parent_id: str
    """The caller's span."""
    span_id: str
    """Ours: the parent of what we ask for."""
    flags: int

    @property
    def header(self) -> str:
        """The value to pass on, and to answer with."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def read_traceparent(values: list[bytes]) -> Trace | None:
    """The trace that the values of the header name; `None` for none, more than one, and what is not valid."""
    if len(values) != 1 or len(values[0]) > _MAX_BYTES:
        return None
    found = re.fullmatch(_FIELDS, values[0].strip(b" \t"))
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    # Later versions may have more behind these fields; this one has not.
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    if not int(trace_id, 16) or not int(parent_id, 16):
        return None
    known = int(flags, 16) & _KNOWN_FLAGS
    return Trace(trace_id.decode(), parent_id.decode(), _new_span(), known)


def _new_span() -> str:
    span = os.urandom(8).hex()
    return span if int(span, 16) else _new_span()
