"""The call surface: what the published package offers, as docs/reference/poe-web.md#published-client lists it."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import pytest

import reverse
from reverse import AsyncPoeApi, PoeApi

_BOT = (
    "prompt, display_name=None, base_model='chinchilla', botCategory=None, description='', intro_message='', "
    "api_key=None, api_url=None, prompt_public=True, pfp_url=None, markdown_rendering=True, suggested_replies=False, "
    "private=False, temperature=None, customMessageLimit=None, messagePriceCc=None, shouldCiteSources=True, "
    "allowRelatedBotRecommendations=True"
)
# Mutable defaults of the original are `()` or `None` here.
SURFACE = {
    "send_message": "bot, message, chatId=None, chatCode=None, msgPrice=20, file_path=(), suggest_replies=False, "
    "timeout=5, botId=None, parameters=None",
    "retry_message": "chatCode, suggest_replies=False, timeout=5",
    "cancel_message": "chunk",
    "chat_break": "bot, chatId=None, chatCode=None",
    "delete_message": "message_ids",
    "purge_conversation": "bot, chatId=None, chatCode=None, count=50, del_all=False",
    "purge_all_conversations": "",
    "delete_chat": "bot, chatId=None, chatCode=None, del_all=False",
    "get_chat_history": "bot=None, count=None, interval=50, cursor=None",
    "get_threadData": "bot='', chatCode=None, chatId=None",
    "get_previous_messages": "bot, chatId=None, chatCode=None, count=50, get_all=False, include_extended=False",
    "get_settings": "",
    "get_botInfo": "handle",
    "get_botData": "handle",
    "get_available_bots": "count=25, get_all=False",
    "get_user_bots": "user",
    "get_available_categories": "",
    "explore": "categoryName='defaultCategory', search=None, entity_type='bot', count=50, explore_all=False",
    "share_chat": "bot, chatId=None, chatCode=None, count=None",
    "import_chat": "bot='', shareCode=''",
    "get_citations": "messageId",
    "set_context_optimization": "chat_id, enabled",
    "upload_knowledge": "file_path=(), text_knowledge=()",
    "edit_knowledge": "knowledgeSourceId, title=None, content=None",
    "get_available_knowledge": "botName, count=10, get_all=False",
    "get_available_creation_models": "",
    "create_bot": f"handle, {_BOT}, api_bot=False, knowledgeSourceIds=None, inviteCodeReqHash=None",
    "edit_bot": f"handle, {_BOT}, new_handle=None, knowledgeSourceIdsToAdd=None, knowledgeSourceIdsToRemove=None",
    "delete_bot": "handle",
    "complete_profile": "handle=None",
    "create_group": "group_name=None, bots=()",
    "delete_group": "group_name",
    "get_group": "group_name",
    "get_available_groups": "",
    "save_group_history": "group_name, file_path=None",
    "load_group_history": "file_path",
    "get_most_mentioned": "group_name, message",
    "send_message_to_group": "group_name, message='', timeout=60, user='User', autosave=False, autoplay=False, "
    "preset_history=''",
    "load_bundle": "",
    "send_request": "path='gql_POST', query_name='', variables=None",
    "get_channel_settings": "",
    "subscribe": "",
    "connect_ws": "",
    "disconnect_ws": "",
}


def _parameters(method: object) -> set[str]:
    parameters = list(inspect.signature(method).parameters.values())[1:]  # type: ignore[arg-type]  # a method
    return {p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters}


@pytest.mark.parametrize("kind", [AsyncPoeApi, PoeApi])
@pytest.mark.parametrize("name", SURFACE)
def test_methods_have_the_originals_names_parameters_and_defaults(kind: type, name: str) -> None:
    method = getattr(kind, name)
    assert _parameters(method) == set(filter(None, SURFACE[name].split(", ")))
    assert method.__doc__


@pytest.mark.parametrize("kind", [AsyncPoeApi, PoeApi])
def test_the_constructor_takes_what_the_originals_take(kind: type) -> None:
    parameters = inspect.signature(kind).parameters
    assert list(parameters)[:5] == ["tokens", "proxy", "auto_proxy", "headers", "request_retry_limit"]


def test_every_method_of_the_asynchronous_class_is_on_the_blocking_one() -> None:
    own = {name for name, value in inspect.getmembers(AsyncPoeApi, callable) if not name.startswith("_")}
    assert own - set(dir(PoeApi)) == {"create", "chat_of", "ref_of", "remember"}


def test_importing_the_package_loads_nothing_and_starts_nothing() -> None:
    """The original connects to a local port, patches asyncio and sets proxy variables when it is imported."""
    program = (
        "import os, sys, threading\n"
        "before = dict(os.environ)\n"
        "import reverse\n"
        "assert not {'httpx', 'websockets', 'asyncio'} & set(sys.modules), 'loaded too early'\n"
        "from reverse import PoeApi, AsyncPoeApi\n"
        "assert threading.active_count() == 1 and dict(os.environ) == before\n"
        "print(PoeApi.__name__, AsyncPoeApi.__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("PoeApi AsyncPoeApi\n", "")


def test_every_exported_name_exists_and_others_do_not() -> None:
    assert all(getattr(reverse, name) for name in reverse.__all__)
    assert set(reverse.__all__) <= set(dir(reverse))
    with pytest.raises(AttributeError, match="no attribute 'PoeServer'"):
        _ = reverse.PoeServer


def test_headers_that_are_sent_anyway_are_ignored() -> None:
    headers = {"REFERER": "https://poe.com/x", "Origin": "https://poe.com", "Accept": "*/*", "Host": "poe.com"}
    assert AsyncPoeApi({"p-b": "cookie"}, headers=headers).client is not None
    api = AsyncPoeApi({"p-b": "cookie"}, headers={**headers, "user-agent": "mine/1"})
    assert api.client._transport._headers["User-Agent"] == "mine/1"
    assert api.client._transport._headers["Referer"] == "https://poe.com/"
    with pytest.raises(ValueError, match=r"Sec-Ch-Ua, cookie|cookie, sec-ch-ua"):
        AsyncPoeApi({"p-b": "cookie"}, headers={**headers, "Sec-Ch-Ua": "x", "Cookie": "y"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"auto_proxy": True},
        {"proxy": "socks5://secret-3:1"},
        {"proxy": [{"https://": "socks5://secret-4:1"}]},
        {"proxy": "secret-5:1"},
        {"proxy": [{"http": "http://secret-1:1"}, {"http": "http://secret-2:2"}]},
        {"headers": {"Sec-Ch-Ua": "secret"}},
        {"tokens": {}},
        {"tokens": {"p-b": "secret; b"}},
    ],
)
def test_arguments_that_cannot_be_honoured_are_refused_without_quoting_them(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        AsyncPoeApi(**{"tokens": {"p-b": "cookie"}, **arguments})  # type: ignore[arg-type]  # each in turn
    assert "secret" not in str(raised.value)
