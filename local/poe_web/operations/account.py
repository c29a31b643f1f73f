"""Subscriptions, settings with points, and the account's profile."""

from __future__ import annotations

from local.poe_web.catalogue import SUBSCRIPTIONS
from local.poe_web.operations.query import Data, Query, QueryFailed, operation
from local.poe_web.relay import relay_id

VIEWER_ID = relay_id("Viewer", 0)


@operation("SubscriptionsMutation")
def subscribe(query: Query) -> Data:
    """From now on the channel that the request names gets these events."""
    channel = query.account.channel
    if query.channel != channel.name:
        raise QueryFailed("Poe-Tchannel is not the account's channel")
    names = []
    for entry in query.get("subscriptions", list):
        if not isinstance(entry, dict) or entry.get("query", ...) is not None:
            raise QueryFailed("a subscription is an object whose 'query' is null")
        if entry.get("queryHash") not in SUBSCRIPTIONS.get(str(entry.get("subscriptionName")), ()):
            raise QueryFailed(f"unknown subscription {entry.get('subscriptionName')!r}", "PersistedQueryNotFound")
        names.append(entry["subscriptionName"])
    channel.subscriptions.update(names)
    return {"subscriptionsMutation": True}


@operation("SettingsPageQuery")
def settings(query: Query) -> Data:
    """The account's subscription and points, in the keys of older and newer data.

    Source: docs/reference/poe-web.md#bots-and-account.
    """
    account = query.account
    subscription = {
        "id": relay_id("Subscription", 0),
        "isActive": True,
        "planType": "yearly",
        "purchaseType": "web",
        "isComplimentary": False,
        "isFreeTrial": False,
        "willCancelAtPeriodEnd": False,
        "expiresTime": account.next_grant + 300 * 86_400_000_000,
    }
    points = {
        "id": relay_id("MessagePointInfo", 0),
        "messagePointBalance": account.points + account.addon_points,
        "totalMessagePointAllotment": account.allotment,
        "messagePointResetTime": account.next_grant,
        "subscriptionPointBalance": account.points,
        "addonPointBalance": account.addon_points,
        "computePointNextGrantTime": account.next_grant,
    }
    return {
        "viewer": {
            "id": VIEWER_ID,
            "subscription": subscription if account.subscribed else None,
            "messagePointInfo": points,
        }
    }


@operation("PointsHistoryPageColumnViewerPaginationQuery")
def points_history(query: Query) -> Data:
    """A page of what was spent, the latest first; an entry is listed some time after it was booked.

    Source: docs/reference/poe-web.md#bots-and-account.
    """
    size, cursor = query.get("limit", int), query.get("cursor", str, None)
    if cursor is not None and not cursor.isdecimal():
        raise QueryFailed("this cursor was not given out")
    listed_until = query.world.now() - int(query.history_delay_seconds * 1_000_000)
    charges = sorted(query.account.charges, key=lambda charge: charge.charge_id, reverse=True)
    found = [
        charge for charge in charges if charge.at <= listed_until and (cursor is None or charge.charge_id < int(cursor))
    ]
    edges = [
        {
            "cursor": str(charge.charge_id),
            "node": {
                "id": relay_id("PointsHistory", charge.charge_id),
                "pointCost": charge.points,
                "creationTime": charge.at,
                "bot": {"displayName": charge.bot, "id": relay_id("Bot", charge.bot_id)},
            },
        }
        for charge in found[:size]
    ]
    page = {"endCursor": edges[-1]["cursor"] if edges else cursor, "hasNextPage": len(found) > size}
    return {"viewer": {"id": VIEWER_ID, "pointsHistoryConnection": {"edges": edges, "pageInfo": page}}}


@operation("NuxInitialModal_poeSetHandle_Mutation")
def set_handle(query: Query) -> Data:
    """Give the account its public name."""
    handle = query.get("handle", str)
    if any(a.handle == handle for a in query.world.accounts.values() if a is not query.account):
        raise QueryFailed("another account has this handle", "handle_already_taken")
    query.account.handle = handle
    return {"poeSetHandle": {"status": "success", "viewer": {"id": VIEWER_ID}}}


@operation("MarkMultiplayerNuxCompleted")
def complete_introduction(query: Query) -> Data:
    """Fails for an account without a handle; clients then set one and repeat it."""
    if query.account.handle is None:
        raise QueryFailed("the account has no handle yet")
    return {"markMultiplayerNuxCompleted": {"viewer": {"id": VIEWER_ID}}}
