"""Bots that an account creates, edits and deletes."""

from __future__ import annotations

import re
from typing import Any

from local.poe_web.answers import Answer, Prompt, Snapshot, growing
from local.poe_web.bots import Bot
from local.poe_web.operations.query import Data, Query, QueryFailed, operation

_HANDLE = re.compile(r"[A-Za-z0-9_.-]{4,20}")
_MODELS = {"gpt4_o": False, "chinchilla": False, "claude_3_igloo": False, "beaver": False, "dalle3": True}


@operation("CreateBotIndexPageQuery")
def creation_models(query: Query) -> Data:
    """The models on which bots can be built: four for text, one for images, one for video."""
    del query
    models = [{"model": model, "isImageGen": image, "isVideoGen": False} for model, image in _MODELS.items()]
    models.append({"model": "runway", "isImageGen": False, "isVideoGen": True})
    return {"viewer": {"botsAllowedForUserCreation": models}}


def persona(prompt: str) -> Answer:
    """How a created bot answers: its own prompt first, then an echo."""

    def answer(asked: Prompt) -> list[Snapshot]:
        return growing(f"({prompt}) You said: {asked.text}" if prompt else f"You said: {asked.text}")

    return answer


def _common(query: Query) -> dict[str, Any]:
    """What creating and editing have in common."""
    if query.get("botCategory", int) not in (1, 2, 3, 4):
        raise QueryFailed("botCategory has to be 1 to 4")
    query.get("introduction", str)
    price = query.get("messagePriceCc", int, None)
    return {
        "display_name": query.get("displayName", str, None) or query.get("handle", str),
        "prompt": query.get("prompt", str),
        "description": query.get("description", str),
        "private": query.get("isPrivateBot", bool),
        "has_suggested_replies": query.get("hasSuggestedReplies", bool),
        "cites": query.get("shouldCiteSources", bool),
        **({"cost": price} if price is not None else {}),
    }


def _refusal(query: Query, model: str, own: Bot | None) -> str | None:
    handle = query.get("handle", str)
    taken = query.world.bots.named(handle)
    if not _HANDLE.fullmatch(handle):
        return "invalid_handle"
    if taken is not None and taken is not own:
        return "handle_already_taken"
    return None if model in _MODELS or model == "runway" else "invalid_model"


def _sources(query: Query, name: str) -> list[int]:
    numbers = query.numbers(name)
    if not query.account.knowledge.keys() >= set(numbers):
        raise QueryFailed(f"{name} names a source that the account does not have")
    return numbers


@operation("PoeBotCreate")
def create(query: Query) -> Data:
    """A new bot of this account."""
    model = query.get("model", str)
    fields = _common(query)
    if status := _refusal(query, model, None):
        return {"poeBotCreate": {"status": status, "bot": None}}
    bots = query.world.bots
    bot = Bot(bots.next_id(), query.get("handle", str), persona(fields["prompt"]), model=model, **fields)
    bot.owner, bot.category = query.account.p_b, "New"
    bot.knowledge_ids = _sources(query, "knowledgeSourceIds")
    bots.add(bot)
    return {"poeBotCreate": {"status": "success", "bot": {"id": bot.id, "botId": bot.bot_id, "handle": bot.handle}}}


def _own(query: Query) -> Bot:
    bot = query.world.bots.by_id(query.get("botId", int))
    if bot is None or bot.owner != query.account.p_b:
        raise QueryFailed("the account has created no such bot", "You are not the creator of this bot")
    return bot


@operation("PoeBotEdit")
def edit(query: Query) -> Data:
    """Change a bot of this account."""
    bot = _own(query)
    model = query.get("baseBot", str)
    fields = _common(query)
    if status := _refusal(query, model, bot):
        return {"poeBotEdit": {"status": status, "bot": None}}
    for name, value in fields.items():
        setattr(bot, name, value)
    bot.handle, bot.model, bot.answer = query.get("handle", str), model, persona(bot.prompt)
    removed = set(query.numbers("knowledgeSourceIdsToRemove"))
    kept = [number for number in bot.knowledge_ids if number not in removed]
    bot.knowledge_ids = list(dict.fromkeys(kept + _sources(query, "knowledgeSourceIdsToAdd")))
    return {"poeBotEdit": {"status": "success", "bot": {"id": bot.id, "botId": bot.bot_id, "handle": bot.handle}}}


@operation("BotInfoCardActionBar_poeBotDelete_Mutation")
def delete(query: Query) -> Data:
    """Delete a bot of this account for everybody."""
    bot = _own(query)
    bot.deleted = True
    return {"poeBotDelete": {"botId": bot.bot_id}}


@operation("BotInfoCardActionBar_poeRemoveBotFromUserList_Mutation")
def remove_from_list(query: Query) -> Data:
    """Take a bot off this account's list; it stays available by name."""
    query.get("connections", list)
    bot = query.world.bots.by_id(query.get("botId", int))
    if bot is None:
        raise QueryFailed("there is no such bot")
    query.account.hidden_bots.add(bot.bot_id)
    return {"poeRemoveBotFromUserList": {"botId": bot.bot_id}}
