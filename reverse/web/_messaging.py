"""Sends, regenerates, follows and stops messages; `PoeWebClient.stream` is built on it."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Literal

from reverse.chat import NOTHING_LEFT, Aftermath, ChatRef, ChatRequest, Message
from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import ChatStarted, Event, Finished, UrlCited
from reverse.web._channel import Channel
from reverse.web._decoder import WebAnswerDecoder
from reverse.web._following import Following
from reverse.web._graphql import GraphQL
from reverse.web._mailbox import Mailbox
from reverse.web._models import read_citation
from reverse.web._paging import nodes_of
from reverse.web._protocol import MessageUpdate, clean, global_id, mapping, parse_message, sequence
from reverse.web._sending import SEND, Sent, read_sent, send_variables
from reverse.web._transport import Part
from reverse.web._upload import Sources, Uploaded, Uploader

# Chats whose newest message is remembered, so that a replayed event of an earlier turn is not taken for the answer.
_MAX_REMEMBERED_CHATS = 256
# Messages read when an answer is looked up: the answer, its question, and some that others added meanwhile.
_LOOKUP_COUNT = 10
# How often an answer that is still being written is looked at before it is asked for again.
_POLL_SECONDS = 0.5
_MAX_CITATIONS = 200
_REGENERATE = "RegenerateMessageMutation"


class Messaging:
    """The messages of one account, over its channel."""

    def __init__(
        self,
        config: PoeConfig,
        graphql: GraphQL,
        channel: Channel,
        *,
        sources: Sources,
        uploader: Uploader,
        find_bot: Callable[[str], Awaitable[object]],
        rng: random.Random,
        splits_thinking: bool = True,
    ) -> None:
        self._config = config
        self._graphql = graphql
        self._channel = channel
        self._sources = sources
        self._uploader = uploader
        self._find_bot = find_bot
        self._rng = rng
        self._splits_thinking = splits_thinking
        self._newest_message: OrderedDict[int, int] = OrderedDict()
        self._aftermath = NOTHING_LEFT

    def take_aftermath(self) -> Aftermath:
        """See `PoeClient.aftermath`."""
        aftermath, self._aftermath = self._aftermath, NOTHING_LEFT
        return aftermath

    async def send(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Send one message and yield its answer: see `PoeWebClient.stream`."""
        try:
            mailbox, answer = await self._begin(request)
            try:
                async with aclosing(self._follow(answer, mailbox, request.suggest_replies)) as events:
                    async for event in events:
                        # Asked for before the last event, after which nothing may follow.
                        if isinstance(event, Finished) and answer.has_citations and _searches(request):
                            for citation in await self._citations(answer.message_id):
                                yield citation
                        yield event
            finally:
                self._channel.mailboxes.forget(mailbox)
        except PoeError as error:
            # Told apart by a read, which costs nothing: one is a typo, the other an account without access.
            if error.code is ErrorCode.BOT_ACCESS_DENIED and await self._is_unknown(request.bot):
                raise poe_error(ErrorCode.BOT_NOT_FOUND, operation=SEND, delivery=error.delivery) from None
            raise

    async def _begin(self, request: ChatRequest) -> tuple[Mailbox, WebAnswerDecoder]:
        """Send the message. Whoever takes the mailbox forgets it in the end."""
        message = _only_message(request)
        self._aftermath = NOTHING_LEFT
        try:
            uploaded = await self._prepare(message)
        except PoeError as error:
            error.delivery = Delivery.NOT_SENT  # whatever failed, the message was not sent
            raise
        chat_id = request.chat.chat_id if request.chat else None
        variables = send_variables(
            self._config,
            bot=request.bot,
            text=message.text,
            chat_id=chat_id,
            labels=uploaded.labels,
            file_tokens=uploaded.tokens,
            parameters=request.parameters,
            rng=self._rng,
        )
        # From here on nothing is lost: events are kept before the message is sent, whichever comes first.
        mailbox = self._channel.mailboxes.listen(chat_id)
        try:
            sent = await self._mutate(SEND, variables, uploaded.parts, chat_id)
        except BaseException as error:
            self._channel.mailboxes.forget(mailbox)
            if isinstance(error, PoeError):
                # The refusal may be about a file token that Poe does not honour any more.
                self._uploader.forget(uploaded)
                if request.chat is not None and await self._is_lost(request.chat, request.bot, error):
                    raise poe_error(ErrorCode.CHAT_NOT_FOUND, operation=SEND) from None
            raise
        self._note_begun(sent, chat_id)
        self._channel.mailboxes.bind(mailbox, sent.chat_id)
        code = (request.chat.chat_code if request.chat else None) or sent.chat_code
        # Whatever is not newer belongs to an earlier turn: the channel replays events after a reconnect.
        baseline = max(sent.last_message_id or -1, self._newest_message.get(sent.chat_id, -1))
        answer = WebAnswerDecoder(
            ChatStarted(sent.chat_id, code, sent.title),
            message.text,
            after_message_id=baseline if baseline >= 0 else None,
            suggest_replies=request.suggest_replies,
            splits_thinking=self._splits_thinking,
            max_chars=self._config.max_answer_chars,
        )
        return mailbox, answer

    async def regenerate(self, chat: ChatRef, *, suggest_replies: bool) -> AsyncGenerator[Event, None]:
        """Ask for the chat's last answer again: see `PoeWebClient.regenerate`."""
        try:
            await self._channel.ensure()
            old, question = await self._finished_answer(chat.chat_id)
        except PoeError as error:
            error.delivery = Delivery.NOT_SENT
            raise
        mailbox = self._channel.mailboxes.listen(chat.chat_id)
        try:
            await self._mutate(_REGENERATE, {"messageId": old.message_id}, (), chat.chat_id)
            answer = WebAnswerDecoder(
                ChatStarted(chat.chat_id, chat.chat_code),
                question,
                regenerated=old,
                suggest_replies=suggest_replies,
                splits_thinking=self._splits_thinking,
                max_chars=self._config.max_answer_chars,
            )
            async with aclosing(self._follow(answer, mailbox, suggest_replies)) as events:
                async for event in events:
                    yield event
        finally:
            self._channel.mailboxes.forget(mailbox)

    async def _finished_answer(self, chat_id: int) -> tuple[MessageUpdate, str]:
        """The chat's last answer, once it is finished, and the text of its question. Raises `PoeError`.

        A break of the context behind it changes nothing: it can be given again.
        """
        waits = int(self._config.request_timeout_seconds / _POLL_SECONDS)
        for _ in range(max(1, waits)):
            messages = [message for message in await self.newest(chat_id) if message.author != "chat_break"]
            if not messages or messages[-1].author == "human":
                raise poe_error(ErrorCode.INVALID_REQUEST, "the chat does not end with an answer")
            if messages[-1].is_terminal:
                question = next((message.text for message in reversed(messages) if message.author == "human"), "")
                return messages[-1], question
            await asyncio.sleep(_POLL_SECONDS)
        raise poe_error(ErrorCode.INVALID_REQUEST, "the chat's last answer is still being written")

    async def stop(self, chat_id: int | None, message_id: int | None, text_length: int) -> None:
        """Stop an answer, by its chat or else by its message; readers of it end at once. Raises `PoeError`."""
        if self._config.operation_generation == "newer" and chat_id is not None:
            name, variables = "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation", {"chatId": chat_id}
        elif message_id is not None:
            name = "StopMessage_messageCancel_Mutation"
            variables = {"messageId": message_id, "textLength": text_length}
        else:
            raise poe_error(ErrorCode.INVALID_REQUEST, "an answer is stopped by its chat or its message")
        await self._graphql.mutate(name, variables)
        self._channel.mailboxes.note_stopped(chat_id, message_id)

    async def newest(
        self, chat_id: int, default_state: Literal["incomplete", "complete"] = "complete"
    ) -> list[MessageUpdate]:
        """The chat's newest messages, oldest first. Raises `PoeError`."""
        nodes = nodes_of(mapping(await self._read_chat(chat_id)).get("messagesConnection"))
        found = (parse_message(chat_id, node, default_state=default_state) for node in nodes)
        return [message for message in found if message is not None]

    async def _read_chat(self, chat_id: int) -> object:
        variables = {"count": _LOOKUP_COUNT, "cursor": None, "id": global_id("Chat", chat_id)}
        return (await self._graphql.query("ChatListPaginationQuery", variables)).get("node")

    async def _is_lost(self, chat: ChatRef, bot: str, error: PoeError) -> bool:
        """Whether a message failed because Poe has no such chat. What it says to that, it says to much else.

        So it is asked for the chat, and, if that fails as well, for something that it must know if it works at all.
        """
        # Only a refusal in words can be about the chat; a bare failure is Poe's.
        if error.code is not ErrorCode.UPSTREAM_FAILED or error.upstream_text is None:
            return False
        try:
            return await self._read_chat(chat.chat_id) is None
        except PoeError as unread:
            if unread.code is not ErrorCode.UPSTREAM_FAILED or unread.upstream_text is None:
                return False
        try:
            await self._find_bot(bot)
        except PoeError:
            return False
        return True

    async def _prepare(self, message: Message) -> Uploaded:
        """Open the channel and upload the files, side by side."""
        if not message.attachments:
            await self._channel.ensure()
            return Uploaded()
        uploading = asyncio.create_task(self._upload(message), name="poe-upload")
        try:
            await self._channel.ensure()
            uploaded = await uploading
        finally:
            uploading.cancel()
            await asyncio.gather(uploading, return_exceptions=True)
        # A large upload takes time, in which the channel may have been lost.
        await self._channel.ensure()
        return uploaded

    async def _upload(self, message: Message) -> Uploaded:
        return await self._uploader.upload(await self._sources.read_all(message.attachments))

    async def _citations(self, message_id: int | None) -> list[UrlCited]:
        """The pages that an answer names: one bounded question, without which the answer is an answer all the same."""
        with suppress(PoeError, TimeoutError):
            async with asyncio.timeout(self._config.stop_timeout_seconds):
                data = await self._graphql.query("MessageCitationSourceModalQuery", {"messageId": message_id})
                nodes = sequence(mapping(data.get("message")).get("citations"))[:_MAX_CITATIONS]
                found = [read_citation(mapping(node)) for node in nodes]
                return [UrlCited(clean(one.url), one.title and clean(one.title)) for one in found if one.url]
        return []

    async def _follow(
        self, answer: WebAnswerDecoder, mailbox: Mailbox, suggest_replies: bool
    ) -> AsyncGenerator[Event, None]:
        chat_id = answer.chat_id

        async def look_up(default_state: Literal["incomplete", "complete"]) -> Sequence[MessageUpdate]:
            return await self.newest(chat_id, default_state)

        distrust = self._channel.distrust
        events = Following(answer, mailbox, look_up, distrust, self._config, suggest_replies).events()
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except PoeError as error:
            if not answer.is_empty:
                error.delivery = Delivery.PARTIAL
            elif not answer.has_failed and error.code is not ErrorCode.EMPTY_ANSWER:
                # What fails from here on, a refused connection too, is the following: Poe has the message.
                error.delivery = Delivery.UNKNOWN
            raise
        finally:
            # In every ending, since the next message of the chat begins where this answer was.
            self._remember_newest(answer)
            # Not waited for: the cost is booked when it comes, and the answer does not depend on it.
            if answer.has_started and not answer.cost_known:
                expected = self._channel.mailboxes.expect_cost(chat_id, answer.is_its_cost)
                self._aftermath = replace(self._aftermath, late_points=expected)
            if not answer.is_over:
                await self._stop_quietly(chat_id, answer.message_id, len(answer.text))

    async def _mutate(
        self, name: str, variables: Mapping[str, Any], parts: Sequence[Part], chat_id: int | None
    ) -> Sent:
        """Let a bot answer. When cancelled meanwhile, learn what became of it and stop the answer, in bounded time."""

        def read(data: Mapping[str, Any]) -> Sent:
            if name == _REGENERATE and chat_id is not None:
                return Sent(chat_id, None, None, None)
            return read_sent(data, chat_id=chat_id)

        sending = asyncio.create_task(self._graphql.send(name, variables, parts=parts), name="poe-send")
        try:
            # Shielded: a send that is torn down half way leaves nobody knowing whether Poe has the message.
            return read(await asyncio.shield(sending))
        except asyncio.CancelledError:
            with suppress(PoeError, TimeoutError):
                async with asyncio.timeout(self._config.stop_timeout_seconds):
                    sent = read(await sending)
                    self._note_begun(sent, chat_id)
                    await self.stop(sent.chat_id, None, 0)
            raise
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _note_begun(self, sent: Sent, asked_chat_id: int | None) -> None:
        if asked_chat_id is None:
            self._aftermath = Aftermath(sent.chat_id)

    async def _is_unknown(self, bot: str) -> bool:
        """Whether Poe knows no such bot: it refuses unknown bots and those one may not use in the same words."""
        try:
            await self._find_bot(bot)
        except PoeError as error:
            return error.code is ErrorCode.BOT_NOT_FOUND
        return False

    async def _stop_quietly(self, chat_id: int, message_id: int | None, text_length: int) -> None:
        """Stop the answer that nobody waits for any more: one bounded attempt, because we are leaving."""
        with suppress(PoeError, TimeoutError):
            async with asyncio.timeout(self._config.stop_timeout_seconds):
                await self.stop(chat_id, message_id, text_length)

    def _remember_newest(self, answer: WebAnswerDecoder) -> None:
        if answer.message_id is None:
            return
        # Taken out first, so that it moves to the end: the oldest is dropped.
        self._newest_message.pop(answer.chat_id, None)
        self._newest_message[answer.chat_id] = answer.message_id
        if len(self._newest_message) > _MAX_REMEMBERED_CHATS:
            self._newest_message.popitem(last=False)


def _searches(request: ChatRequest) -> bool:
    """Whether a search of the web was switched on: only then somebody looks for what an answer cites."""
    return request.parameters.get("web_search") is True


def _only_message(request: ChatRequest) -> Message:
    """The one message that the web API can take: Poe keeps the rest of the conversation itself."""
    if len(request.messages) != 1 or request.messages[0].role not in ("user", "system"):
        raise poe_error(ErrorCode.INVALID_REQUEST, "a web account takes exactly one user message")
    if request.tools or request.response_format:
        raise poe_error(ErrorCode.UNSUPPORTED_FEATURE, "web accounts offer neither tools nor response formats")
    return request.messages[0]
