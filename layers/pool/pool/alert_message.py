"""Alerts as they are sent: one message for several. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from accounts import Alert

MAX_ALERTS = 20
"""In one message; how many more there are is said."""
_MAX_SUBJECT_CHARS = 100


def subject_of(alerts: Sequence[Alert], more: int) -> str:
    """A line for an e-mail's subject: ASCII and short, as SNS demands."""
    kinds = ", ".join(sorted({alert.kind for alert in alerts}))
    # Kinds and no labels, which need not be ASCII.
    return f"Poe gateway: {len(alerts) + more} alerts ({kinds})"[:_MAX_SUBJECT_CHARS]


def text_of(alerts: Sequence[Alert], more: int) -> str:
    """For people."""
    lines = [f"- {alert.text}" for alert in alerts]
    lines += [f"and {more} more: `poegw alerts`"] if more else []
    return "\n".join(["What the Poe gateway wants you to know:", "", *lines])


def document_of(alerts: Sequence[Alert], more: int, *, at: float) -> bytes:
    """For programs, as JSON. `text` and `content` are where chat programs look for what people read."""
    text = text_of(alerts, more)
    document = {
        "type": "alerts",
        "at": _time(at),
        # Slack reads `text`, Discord `content`.
        "text": text,
        "content": text,
        "alerts": [
            {
                "id": alert.id,
                "kind": alert.kind,
                "text": alert.text,
                "account": alert.account_id,
                "key": alert.key_id,
                "since": _time(alert.since),
            }
            for alert in alerts
        ],
        "more": more,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
