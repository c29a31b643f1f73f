from __future__ import annotations

import pytest

from local.function_url import Cors

ASKED = {"origin": "https://a.example", "access-control-request-method": "POST"}


def test_only_a_preflight_is_answered_in_the_functions_place():
    cors = Cors(allow_origins=["*"])
    assert cors.preflight("OPTIONS", ASKED) is not None
    assert cors.preflight("OPTIONS", {"origin": "https://a.example"}) is None
    assert cors.preflight("POST", ASKED) is None


def test_a_preflight_names_the_headers_that_were_asked_for_and_are_allowed():
    cors = Cors(allow_origins=["*"], allow_methods=["*"], allow_headers=["X-A"], max_age_seconds=5)
    answer = dict(cors.preflight("OPTIONS", ASKED | {"access-control-request-headers": "x-a, x-b"}) or ())
    assert answer["Access-Control-Allow-Headers"] == "x-a"
    assert answer["Access-Control-Max-Age"] == "5"


@pytest.mark.parametrize(
    ("cors", "allowed"),
    [
        (Cors(allow_origins=["*"], allow_headers=["*"]), {"x-b", "content-type"}),
        (Cors(allow_origins=["*"], allow_headers=["*", "Authorization"]), {"authorization", "x-b", "content-type"}),
        (Cors(allow_origins=["*"], allow_headers=["*"], allow_credentials=True), {"*"}),
        (Cors(allow_origins=["*"], allow_headers=["*", "x-b"], allow_credentials=True), {"x-b"}),
    ],
)
def test_a_star_covers_no_more_than_browsers_take_it_for(cors, allowed):
    wanted = {"access-control-request-headers": "authorization, content-type,x-b"}
    answer = dict(cors.preflight("OPTIONS", ASKED | wanted) or ())
    assert set(answer["Access-Control-Allow-Headers"].split(",")) == allowed


@pytest.mark.parametrize(
    ("cors", "origin"),
    [
        (Cors(allow_origins=["*"]), "*"),
        (Cors(allow_origins=["*"], allow_credentials=True), "https://a.example"),
        (Cors(allow_origins=["https://A.example"]), "https://a.example"),
        (Cors(allow_origins=["https://b.example"]), None),
    ],
)
def test_answers_name_the_origin_if_it_is_allowed(cors, origin):
    assert dict(cors.response_headers(ASKED)).get("Access-Control-Allow-Origin") == origin
    assert cors.response_headers({}) == []
