"""`AsyncPoeApi`, the asynchronous class."""

from __future__ import annotations

from reverse.compat._bots import BotMethods
from reverse.compat._groups import GroupMethods
from reverse.compat._messages import Messages


class AsyncPoeApi(Messages, BotMethods, GroupMethods):
    """A Poe account through its browser cookies, with the original's methods.

        async with await AsyncPoeApi(tokens={"p-b": ...}).create() as api:
            async for chunk in api.send_message(bot="Assistant", message="hello"):
                print(chunk["response"], end="", flush=True)

    For one event loop. `create` may be left out: the first call that needs the channel opens it.
    """
