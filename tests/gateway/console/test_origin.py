"""Requests that another site's page may have sent are refused."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from gateway.console.origin import check_origin
from gateway.http.errors import GatewayError

CHANGE = {
    "host": "gateway.example",
    "origin": "https://gateway.example",
    "sec-fetch-site": "same-origin",
    "content-type": "application/json",
    "x-console": "1",
}


def code(method: str, headers: dict[str, str]) -> str | None:
    try:
        check_origin(method, Headers(headers))
    except GatewayError as error:
        return error.code
    return None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_page_of_ours_may_change(method: str) -> None:
    assert code(method, CHANGE) is None


@pytest.mark.parametrize(
    "change",
    [
        {"sec-fetch-site": "same-site", "origin": "https://gateway.example:8443"},
        {"sec-fetch-site": "same-site", "origin": "https://other.gateway.example"},
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_page_of_another_port_subdomain_or_site_may_not(change: dict[str, str]) -> None:
    assert code("POST", CHANGE | change) == "not_same_origin"


def test_behind_another_domain_the_host_is_not_the_origin() -> None:
    assert (
        code("POST", CHANGE | {"origin": "https://gateway.example", "host": "abc.lambda-url.eu-west-1.on.aws"}) is None
    )


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://gateway.example", "gateway.example", None),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", None),
        ("http://127.0.0.1:9000", "127.0.0.1:8000", "not_same_origin"),
        ("http://localhost:8000", "127.0.0.1:8000", "not_same_origin"),
        ("null", "gateway.example", "not_same_origin"),
        ("", "", "not_same_origin"),
    ],
)
def test_a_browser_that_does_not_tell_the_site_must_tell_the_origin(
    origin: str, host: str, expected: str | None
) -> None:
    headers = {name: value for name, value in CHANGE.items() if name != "sec-fetch-site"}
    assert code("POST", headers | {"origin": origin, "host": host}) == expected


def test_without_site_and_origin_nothing_changes() -> None:
    headers = {name: value for name, value in CHANGE.items() if name not in ("sec-fetch-site", "origin")}
    assert code("POST", headers) == "not_same_origin"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-console", None),
        ("x-console", "0"),
        ("content-type", None),
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "multipart/form-data"),
    ],
)
def test_a_change_that_a_form_could_make_is_refused(name: str, value: str | None) -> None:
    headers = {key: text for key, text in (CHANGE | {name: value}).items() if text is not None}
    assert code("POST", headers) == "invalid_value"


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("same-origin", None),
        ("none", None),
        (None, None),
        ("same-site", "not_same_origin"),
        ("cross-site", "not_same_origin"),
    ],
)
def test_data_is_read_by_our_pages_only(site: str | None, expected: str | None) -> None:
    assert code("GET", {"sec-fetch-site": site} if site else {}) == expected
