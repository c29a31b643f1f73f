"""`PoeApi` and `AsyncPoeApi`: the call surface that users of `poe-api-wrapper` know, over `reverse.web`.

Methods, parameters and defaults are those of its version 1.7.1, with what its successor added
(docs/reference/poe-web.md#published-client). What is different on purpose:

- Failures are `reverse.errors.PoeError`, with a code; the originals raised untyped errors and, at times, none.
- A message is never sent twice, lost events and lost connections do not lose text, and nothing runs in the background
  once a client is closed: use it in a `with` block, or call `close`.
- `timeout` is a bound on silence only where it is not the default: `PoeConfig` says how long an answer may take.
- One proxy that the caller names is used for everything; lists to rotate through and `auto_proxy` are refused, and so
  are `headers` other than the User-Agent. `select_proxy` and `migrate_to_loop` have no counterpart.
- `msgPrice`, `botId` and `request_retry_limit` are accepted and have no effect, as in the originals.
"""

from reverse.compat._api import AsyncPoeApi
from reverse.compat._blocking_api import PoeApi

__all__ = ["AsyncPoeApi", "PoeApi"]
