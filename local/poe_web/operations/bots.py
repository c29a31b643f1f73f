"""What the service says about a bot, and the list of the account's bots."""

from __future__ import annotations

from typing import Any

from local.poe_web.bots import Bot
from local.poe_web.operations.account import VIEWER_ID
from local.poe_web.operations.query import Data, Query, QueryFailed, operation


def bot_wire(query: Query, bot: Bot) -> dict[str, Any]:
    """A bot's fields (docs/reference/poe-web.md#bots-and-account)."""
    may_use = query.account.subscribed or not bot.subscribers_only
    return {
        "__typename": "Bot",
        "id": bot.id,
        "botId": bot.bot_id,
        "handle": bot.handle,
        "displayName": bot.display_name,
        "model": bot.model,
        "supportsFileUpload": bot.accepts_files,
        "allowsImageAttachments": bot.accepts_files,
        "uploadFileSizeLimit": bot.upload_limit,
        "messageTimeoutSecs": 15,
        "canUserAccessBot": may_use,
        "noAccessMessage": None if may_use else "Subscribe to use this bot.",
        "limitedAccessType": "no_limit" if may_use else "hard_limit",
        "isApiBot": False,
        "isOfficialBot": bot.owner is None,
        "isDown": False,
        "isServerBot": False,
        "isPrivateBot": bot.private,
        "viewerIsCreator": bot.owner == query.account.p_b,
        "description": bot.description,
        "deletionState": "deleted" if bot.deleted else "not_deleted",
        "customUIDefinition": bot.custom_ui,
        "hasSuggestedReplies": bot.has_suggested_replies,
        "messagePointLimit": {"displayMessagePointPrice": bot.cost},
        "botPricing": {"standardMessagePrice": str(bot.cost)},
    }


@operation("HandleBotLandingPageQuery")
def landing_page(query: Query) -> Data:
    """One bot, by its handle in any case."""
    bot = query.bot(query.get("botHandle", str))
    return {
        "bot": bot_wire(query, bot),
        "viewer": {
            "id": VIEWER_ID,
            "submitMessageParamsAsDict": False,
            "shouldUseFinishUploadEndpoint": True,
            "shouldUsePresignedUrl": False,
            "fileUploadSizeLimits": f'{{"default":{bot.upload_limit}}}',
        },
        "supportedPreviewsContentTypes": [],
        "supportedExecutableLanguages": [],
    }


@operation("LayoutRightSidebarQuery")
def sidebar(query: Query) -> Data:
    """One bot, as the page beside a chat shows it."""
    if query.get("useBotName", bool) is not True:
        raise QueryFailed("only useBotName is served")
    bot = query.bot(query.get("botName", str))
    return {"bot": {**bot_wire(query, bot), "promptPlaintext": bot.prompt or None}}


@operation("AvailableBotsSelectorModalPaginationQuery")
def available_bots(query: Query) -> Data:
    """A page of the account's bots; cursors are positions, and behind the last bot pages are empty."""
    limit = query.get("limit", int, 10)
    cursor = query.get("cursor", str, "")
    if cursor and not cursor.isdecimal():
        raise QueryFailed("this cursor was not given out")
    start = int(cursor) + 1 if cursor else 0
    mine = [
        bot
        for bot in query.world.bots
        if bot.bot_id not in query.account.hidden_bots and (not bot.private or bot.owner == query.account.p_b)
    ]
    edges = [
        {"cursor": str(start + i), "node": bot_wire(query, bot)} for i, bot in enumerate(mine[start : start + limit])
    ]
    end = edges[-1]["cursor"] if edges else cursor or None
    page = {"endCursor": end, "hasNextPage": start + limit < len(mine)}
    return {"viewer": {"id": VIEWER_ID, "availableBotsConnection": {"edges": edges, "pageInfo": page}}}
