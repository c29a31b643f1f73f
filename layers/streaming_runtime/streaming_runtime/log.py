"""One JSON line on stderr per problem; silence otherwise.

Written directly: importing `logging` handlers and formatters would only cost start-up time.
"""

import json
import sys
from datetime import UTC, datetime


def problem(event: str, level: str = "ERROR", **fields: object) -> None:
    """Write `event`, a constant dotted name, with its fields. No field may hold what a user sent."""
    line = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "message": event,
    }
    sys.stderr.write(json.dumps({**line, **fields}, default=str) + "\n")
    sys.stderr.flush()
