"""Which paths a key may call, and from where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accounts import ApiKey, KeyRole
from gateway.http.auth import check_access
from gateway.http.errors import GatewayError

KEY = ApiKey(id="k", name="k", hash="h")


def code_of(key: ApiKey, path: str = "/chat/completions", client: str | None = "192.0.2.7") -> str | None:
    try:
        check_access(key, path, client)
    except GatewayError as error:
        assert error.status == 403
        return error.code
    return None


def test_a_key_without_limits_may_do_everything() -> None:
    assert code_of(KEY, "/anything", None) is None


@pytest.mark.parametrize("role", [KeyRole.ADMIN, KeyRole.VIEWER])
def test_models_need_a_client(role: KeyRole) -> None:
    assert code_of(replace(KEY, role=role)) == "wrong_key_role"


@pytest.mark.parametrize(
    ("allowed", "path", "is_allowed"),
    [
        ("/v1/chat/completions", "/chat/completions", True),
        ("/chat/completions", "/chat/completions", True),
        ("/v1/chat/completions/", "/chat/completions", True),
        ("/v1/chat/completions", "/chat/completions/x", False),
        ("/v1/images/*", "/images/edits", True),
        ("/v1/images/*", "/imagesx", False),
        ("/v1/*", "/responses", True),
        ("/*", "/responses", True),
        ("/v1", "/responses", False),
        ("/v1x/*", "/x/y", False),
    ],
)
def test_a_path_may_be_limited(allowed: str, path: str, is_allowed: bool) -> None:
    assert (code_of(replace(KEY, routes=(allowed,)), path) is None) is is_allowed


@pytest.mark.parametrize(
    ("network", "client", "is_allowed"),
    [
        ("192.0.2.0/24", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.0/24", "192.0.3.7", False),
        ("192.0.2.0/24", "::ffff:192.0.2.7", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "192.0.2.7", False),
        ("192.0.2.0/24", None, False),
        ("192.0.2.0/24", "testclient", False),
    ],
)
def test_an_address_may_be_limited(network: str, client: str | None, is_allowed: bool) -> None:
    assert (code_of(replace(KEY, ip_ranges=(network,)), client=client) is None) is is_allowed
