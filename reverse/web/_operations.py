"""The private surface of poe.com that we lean on, as dated data: operation names, their hashes, subscriptions.

Poe accepts persisted queries only: a name and the hash of a text that the server knows. Hashes change with builds of
the web site (docs/reference/poe-web.md#hash-rotation), so none is code: `PoeConfig.operation_hashes` and
`subscription_hashes` override any of them at run time. Two generations are kept, because the variables of a few
operations changed along with them: "older" was current in July 2025, "newer" in March 2026
(docs/reference/poe-web.md#subscriptions).
"""

from __future__ import annotations

from typing import Any

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, poe_error

_OLDER = {
    "SubscriptionsMutation": "5a7bfc9ce3b4e456cd05a537cfa27096f08417593b8d9b53f57587f3b7b63e99",
    "SettingsPageQuery": "b20810a037d823039caf7e5f3a6b11a72a26f9abb30f65a3858390a0bc58e32a",
    "AvailableBotsSelectorModalPaginationQuery": "26214d2e2381b435992200b171b9f39f360cfd5d668c71b071d5575aa6c3c10e",
    "HandleBotLandingPageQuery": "2997adcc7abe30f763da42eed3174b67fd1b60ac4a23dac794526448c2629a8d",
    "LayoutRightSidebarQuery": "357308110e99687fefcf5f4987bbfdf8427bf9b2fd512e265f6cc8a93ee0c9ae",
    "SendMessageMutation": "f1486efc974a214dac6586c46b81bf631a95e58eab1d27b215f622859d74a23e",
    "RegenerateMessageMutation": "056f5f4b6a39ca7786a4f0b2ef37eee401c81d6086cd78ffc12fe2ce0bccb1fd",
    "StopMessage_messageCancel_Mutation": "d2d75098e1878758a5bcd39c89ff6c8c7f5fd633a4f432c234fede8cb743c2e6",
    "SendChatBreakMutation": "528382d26ae0a33020feddee41e5a02f837b9b09886dc29dc1d638fd7143d212",
    "DeleteMessageMutation": "8d1879c2e851ba163badb6065561183600fc1b9de99fc8b48b654eb65af92bed",
    "DeleteUserMessagesMutation": "3f60d527c3f636f308b3a26fc3a0012be34ea1a201e47a774b4513d8a1ba8912",
    "DeleteChat": "5df4cb75c0c06e086b8949890b1871a9f8b9e431a930d5894d08ca86e9260a18",
    "ChatHistoryListPaginationQuery": "6ce01455b0201e625489da90c65f87a2809d212ea41ab6e39412b6913990e81f",
    "ChatHistoryFilteredListPaginationQuery": "b27c110fc75c59a23b660438b209a699f3911a7d3902e2a8e9728d2cc1c5d5b9",
    "ChatPageQuery": "e7dcf93e713a35a6b5642496b78339c9ef5ff0ae5e7e0c150ef534a738cced8c",
    "ChatListPaginationQuery": "c1a8fd96dd6e0a4679814182951b1e256e175587513c81b223addf931833a692",
    "ShareMessageMutation": "2491190f42c1f5265d8dbaaaf7220dbfa094044fdfb2429fd7f2e35f863bc5e1",
    "ContinueChatCTAButton_continueChatFromPoeShare_Mutation": (
        "8b7bbb788463708e87ea979a383ddf6cbbb8818305add8b30c275a13ce9c7a95"
    ),
    "ChatSettingsModal_ChatSetContextOptimization_Mutation": (
        "1e314e6829565b88fff37dfcbaab95dabe5338df7e231f7a2a2cb420545645b6"
    ),
    "MessageCitationSourceModalQuery": "ad19832b5d80a626449366a6b1ff0f43272a4324e5d0bd586dbce67922edbd2c",
    "ExploreBotsIndexPageQuery": "13ad445fc3a55090f90d5d7bb0708e7fc5170717a77d695d305be0ee8e0c4b5d",
    "ExploreBotsListPaginationQuery": "b24b2f2f6da147b3345eec1a433ed17b6e1332df97dea47622868f41078a40cc",
    "SearchResultsListPaginationQuery": "f6d4b5bbec10438548a5f8feedac11001878efe2e31a3d0ecd7680a4decb5c66",
    "HandleProfilePageQuery": "61b9722aa439c027110908b160db683f623e8affcde2d5f66378375b9ae668e3",
    "NuxInitialModal_poeSetHandle_Mutation": "93a0c939986bb344f87a76d9d709f147a23f1a45ec26e291bcea9acf66b3215f",
    "MarkMultiplayerNuxCompleted": "c1b1f2ce72d9f8e9cd7bbe1eecbf6e3bed3366df6a18b179b07ddfd9f1f8b3b1",
    "CreateBotIndexPageQuery": "503347f107f79d900dc79694071fead0152df03a49d0807219c3b3467e2118e6",
    "PoeBotCreate": "39d85c9ecc36bb1f91d219f1ad5520294bd757c1b1df65d00b3167acd214707b",
    "PoeBotEdit": "8f8e534745abb62b8c8354786e61ceeae831418ce01a0b23e1a23481e9588fbf",
    "BotInfoCardActionBar_poeBotDelete_Mutation": "ddda605feb83223640499942fac70c440d6767d48d8ff1a26543f37c9bb89c68",
    "BotInfoCardActionBar_poeRemoveBotFromUserList_Mutation": (
        "5dd4da93f99a2daf629f082b6a4938d940833e8054b5f4f611d9c8c1928b0dc4"
    ),
    "Knowledge_CreateKnowledgeSourceMutation": "53a8daf2cb85b0d4f17520a0fbad1ee8c402d4e85a5ba3c5856563299b13ee98",
    "Knowledge_EditKnowledgeSourceMutation": "627557c27853ba0d52ceb77e58116034f103d60a5b00bf5e0c5edd2af6b21827",
    "BotKnowledgeSourcesModalPaginationQuery": "c02cd4af451d17837143f8572e24b5b9624c2e023bb98bfc1217bde9aedec1ad",
}
_NEWER = {
    **_OLDER,
    "SettingsPageQuery": "7ad44151c552ceef568fb790cf1e3c12c72540c0139a853c1b751fb8c89a4a22",
    "AvailableBotsSelectorModalPaginationQuery": "b044c1f843c1319070d8e2d1e65220f0dc15d50882d49b31ec32ee9ef4647454",
    "HandleBotLandingPageQuery": "0df006a8445388a1b668f9e1e2ccb1347d64bffc04fce4ba3d59e16d388bba8f",
    "SendMessageMutation": "5c04dd9cc92585936f45107e5ab42b8103cb19e963e475419854d8e2ebebaf08",
    "RegenerateMessageMutation": "c57eb11b407a486eb95d94eb698707b66509e1f8b59e08b8e8bb8e1e51bcf426",
    "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation": (
        "bec4c5fb9ea395932da3174c38da893ffaf7ab142130ef1f0f796526051a80de"
    ),
    "SendChatBreakMutation": "f1c759d5a5248717860192964538f3658dbc91c52e8ca92a7adbfab9e6c5536d",
    "ChatPageQuery": "70ecb47b47398819532907eb31801749913d2809708633618206dbf7cbe4833a",
    "ExploreBotsIndexPageQuery": "317a2e0504c3420f695ec5c7bda104716d3f874d7dc7de06e2eebf1560347d98",
    "PointsHistoryPageColumnViewerPaginationQuery": "9b68fe8ea0017e5d7701c93a5db8323136f9cb023d514f8595ae0dde220be6d1",
    "SearchResultsListPaginationQuery": "0a01eccff923e39952ce84831615b8c9c05be2faa664baebe6ad1eeca2f7992d",
    "HandleProfilePageQuery": "328db2104fde0a878da85acf3d6c3ea8fb6882d237c95e8a822b9c0e9aefaa06",
    "CreateBotIndexPageQuery": "25301b86bf42cc2d388a8aa0f9b12825220bbe068731fd00ad8cc62cfdb4114e",
}
_OPERATIONS = {"older": _OLDER, "newer": _NEWER}

# Only what the protocol module reads, or what tells a person watching the socket why an answer is late.
_SUBSCRIPTIONS = {
    "older": {
        "messageAdded": "993dcce616ce18788af3cce85e31437abf8fd64b14a3daaf3ae2f0e02d35aa03",
        "messageCancelled": "14647e90e5960ec81fa83ae53d270462c3743199fbb6c4f26f40f4c83116d2ff",
        "messageStateUpdated": "117a49c685b4343e7e50b097b10a13b9555fedd61d3bf4030c450dccbeef5676",
        "jobUpdated": "e8e492bfaf5041985055d07ad679e46b9a6440ab89424711da8818ae01d1a1f1",
        "viewerStateUpdated": "3b2014dba11e57e99faa68b6b6c4956f3e982556f0cf832d728534f4319b92c7",
        "chatTitleUpdated": "ee062b1f269ecd02ea4c2a3f1e4b2f222f7574c43634a2da4ebeb616d8647e06",
        "messagePointLimitUpdated": "ed3857668953d6e8849c1562f3039df16c12ffddaaac1db930b91108775ee16d",
    },
    "newer": {
        "messageAdded": "9bc4af8951e2f446fdd00399a4823b9b73c96a767b86a92078269e64725aa934",
        "messageCancelled": "14647e90e5960ec81fa83ae53d270462c3743199fbb6c4f26f40f4c83116d2ff",
        "messageStateUpdated": "117a49c685b4343e7e50b097b10a13b9555fedd61d3bf4030c450dccbeef5676",
        "jobUpdated": "961c92a9b49fa30e67ee1a9c6a276a92829aecf9135000d6ba69efaf15df91a3",
        "viewerStateUpdated": "0c9cbf7513f7af97f419eec1ca6d848fa6425d2715e03318110a41f9a08fb0b6",
        "chatTitleUpdated": "ee062b1f269ecd02ea4c2a3f1e4b2f222f7574c43634a2da4ebeb616d8647e06",
        "jobCostUpdated": "a72e7590abe1c18fcb9dfcaf43103a35d86eef966197c28db6f5876c00c0a74c",
    },
}


def canonical_name(name: str) -> str | None:
    """An operation's name as it is written here, whichever generation's spelling is given; `None` for no operation."""
    # The generations differ in the case of the first letter, and an operator copies what the browser shows.
    spellings = (name, name[:1].upper() + name[1:], name[:1].lower() + name[1:])
    return next((known for known in spellings if any(known in hashes for hashes in _OPERATIONS.values())), None)


def is_subscription(name: str) -> bool:
    """Whether a subscription has this name."""
    return any(name in hashes for hashes in _SUBSCRIPTIONS.values())


def operation_hash(name: str, config: PoeConfig) -> str:
    """The hash to send for `name`: the configured one, else that of the configured generation.

    Raises `PoeError` (`STALE_OPERATION`) where neither knows the operation.
    """
    # The configured one first: it is what an operator sets when Poe has a new build and this file is out of date.
    known = config.operation_hashes.get(name) or _OPERATIONS[config.operation_generation].get(name)
    if known is None:
        raise poe_error(ErrorCode.STALE_OPERATION, operation=name)
    return known


def wire_name(name: str, config: PoeConfig) -> str:
    """The spelling that belongs to the generation: browsers write the first letter small since mid-2024.

    Source: docs/reference/poe-web.md#graphql-calls.
    """
    return name if config.operation_generation == "older" else name[0].lower() + name[1:]


def subscriptions(config: PoeConfig) -> list[dict[str, str | None]]:
    """The entries of `SubscriptionsMutation`; an override with an empty hash leaves that subscription out."""
    hashes = {**_SUBSCRIPTIONS[config.operation_generation], **config.subscription_hashes}
    return [
        {"subscriptionName": name, "query": None, "queryHash": query_hash}
        for name, query_hash in hashes.items()
        if query_hash
    ]


def available_bots_variables(config: PoeConfig, cursor: str | int | None, limit: int) -> dict[str, Any]:
    """Variables of `AvailableBotsSelectorModalPaginationQuery`, which differ between the generations.

    Source: docs/reference/poe-web.md#operations.
    """
    if config.operation_generation == "older":
        return {} if cursor is None else {"cursor": cursor}
    return {
        "botSelectorFilter": "all",
        "cursor": cursor,
        "filterCanvasOnlyBots": False,
        "includeHomePageBotSelectorFragment": False,
        "limit": limit,
    }
