"""`PoeApi`, the blocking class: runs `AsyncPoeApi` on a background thread, one method at a time."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from reverse.blocking import LoopThread
from reverse.compat._api import AsyncPoeApi
from reverse.config import PoeConfig

P = ParamSpec("P")
T = TypeVar("T")


def _calling(
    method: Callable[Concatenate[AsyncPoeApi, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[PoeApi, P], T]:
    @wraps(method)
    def call(self: PoeApi, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._loop.run(method(self._api, *args, **kwargs))

    return call


def _iterating(
    method: Callable[Concatenate[AsyncPoeApi, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[PoeApi, P], Generator[T, None, None]]:
    @wraps(method)
    def iterate(self: PoeApi, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        # A generator keeps the client alive that nobody else may hold: `for chunk in PoeApi(...).send_message(...)`.
        yield from self._loop.iterate(method(self._api, *args, **kwargs))

    return iterate


class PoeApi:
    """A Poe account through its browser cookies, with the original's methods, for programs that block.

        for chunk in PoeApi(tokens={"p-b": ...}).send_message(bot="Assistant", message="hello"):
            print(chunk["response"], end="", flush=True)

    Connects when it is made. Arguments and methods are those of `AsyncPoeApi`; several threads may share one. Close it
    with `close` or by a `with` block; one that is dropped is closed too, at the latest when the interpreter ends. A
    generator that is left early, by `break` or by Ctrl-C, stops its answer on Poe when it is closed.
    """

    def __init__(
        self,
        tokens: Mapping[str, str | None] | None = None,
        proxy: str | Sequence[Mapping[str, str]] = (),
        auto_proxy: bool = False,
        headers: Mapping[str, str] | None = None,
        request_retry_limit: int | None = None,
        *,
        config: PoeConfig | None = None,
        group_pause_seconds: tuple[float, float] = (3.0, 5.0),
    ) -> None:
        self._api = api = AsyncPoeApi(
            tokens,
            proxy,
            auto_proxy,
            headers,
            request_retry_limit,
            config=config,
            group_pause_seconds=group_pause_seconds,
        )
        self._loop = loop = LoopThread("poe-api", cleanup=api.close)
        # The loop holds the client but not this object, so that dropping it is enough.
        self._finalizer = weakref.finalize(self, loop.close)
        try:
            loop.run(api.create())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop every answer that is being read, close the sockets and end the thread. Safe to call twice.

        A thread that reads one meanwhile gets `RuntimeError`.
        """
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    send_message = _iterating(AsyncPoeApi.send_message)
    retry_message = _iterating(AsyncPoeApi.retry_message)
    cancel_message = _calling(AsyncPoeApi.cancel_message)
    chat_break = _calling(AsyncPoeApi.chat_break)
    delete_message = _calling(AsyncPoeApi.delete_message)
    purge_conversation = _calling(AsyncPoeApi.purge_conversation)
    purge_all_conversations = _calling(AsyncPoeApi.purge_all_conversations)
    delete_chat = _calling(AsyncPoeApi.delete_chat)
    get_chat_history = _calling(AsyncPoeApi.get_chat_history)
    get_threadData = _calling(AsyncPoeApi.get_threadData)
    get_previous_messages = _calling(AsyncPoeApi.get_previous_messages)
    share_chat = _calling(AsyncPoeApi.share_chat)
    import_chat = _calling(AsyncPoeApi.import_chat)
    get_citations = _calling(AsyncPoeApi.get_citations)
    set_context_optimization = _calling(AsyncPoeApi.set_context_optimization)

    get_settings = _calling(AsyncPoeApi.get_settings)
    get_botInfo = _calling(AsyncPoeApi.get_botInfo)
    get_botData = _calling(AsyncPoeApi.get_botData)
    get_available_bots = _calling(AsyncPoeApi.get_available_bots)
    get_user_bots = _calling(AsyncPoeApi.get_user_bots)
    get_available_categories = _calling(AsyncPoeApi.get_available_categories)
    explore = _calling(AsyncPoeApi.explore)
    get_available_creation_models = _calling(AsyncPoeApi.get_available_creation_models)
    create_bot = _calling(AsyncPoeApi.create_bot)
    edit_bot = _calling(AsyncPoeApi.edit_bot)
    delete_bot = _calling(AsyncPoeApi.delete_bot)
    complete_profile = _calling(AsyncPoeApi.complete_profile)
    upload_knowledge = _calling(AsyncPoeApi.upload_knowledge)
    edit_knowledge = _calling(AsyncPoeApi.edit_knowledge)
    get_available_knowledge = _calling(AsyncPoeApi.get_available_knowledge)

    create_group = _calling(AsyncPoeApi.create_group)
    delete_group = _calling(AsyncPoeApi.delete_group)
    get_group = _calling(AsyncPoeApi.get_group)
    get_available_groups = _calling(AsyncPoeApi.get_available_groups)
    save_group_history = _calling(AsyncPoeApi.save_group_history)
    load_group_history = _calling(AsyncPoeApi.load_group_history)
    get_most_mentioned = _calling(AsyncPoeApi.get_most_mentioned)
    send_message_to_group = _iterating(AsyncPoeApi.send_message_to_group)

    load_bundle = _calling(AsyncPoeApi.load_bundle)
    send_request = _calling(AsyncPoeApi.send_request)
    get_channel_settings = _calling(AsyncPoeApi.get_channel_settings)
    subscribe = _calling(AsyncPoeApi.subscribe)
    connect_ws = _calling(AsyncPoeApi.connect_ws)
    disconnect_ws = _calling(AsyncPoeApi.disconnect_ws)
    refresh_ws = _calling(AsyncPoeApi.refresh_ws)
