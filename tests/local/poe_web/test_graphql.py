"""Who may call, with which hashes, and how a refusal looks."""

import json

import httpx
import pytest

from local.poe_web.catalogue import OPERATIONS, SUBSCRIPTIONS, lower_first

OLDER, NEWER = 0, -1


@pytest.mark.parametrize("generation", [OLDER, NEWER])
async def test_both_generations_of_hashes_and_spellings_are_served(make_client, generation):
    async with make_client(generation=generation) as client:
        data = await client.query("SettingsPageQuery")
    assert data["viewer"]["messagePointInfo"]["messagePointBalance"] == 3000


def test_the_catalogue_has_all_operations_and_subscriptions():
    assert len(OPERATIONS) == 36
    assert len(SUBSCRIPTIONS) == 46
    hashes = [h for known in (*OPERATIONS.values(), *SUBSCRIPTIONS.values()) for h in known]
    assert all(len(h) == 64 for h in hashes)
    assert len(set(hashes)) == len(hashes)


async def post(client, payload, **headers):
    headers = {"Content-Type": "application/json", **client.headers(payload), **headers}
    return await client.http.post("/api/gql_POST", content=payload, headers=headers)


async def test_an_unknown_hash_is_a_persisted_query_not_found(make_client):
    async with make_client(connected=False) as client:
        payload = client.payload("SettingsPageQuery", {}).replace(OPERATIONS["SettingsPageQuery"][0], "0" * 64)
        answer = await post(client, payload)
    assert answer.status_code == 200
    assert answer.json()["errors"] == [{"message": "PersistedQueryNotFound"}]
    assert answer.json()["data"] is None


async def test_a_hash_of_another_query_is_a_persisted_query_not_found(make_client):
    async with make_client(connected=False) as client:
        payload = client.payload("SettingsPageQuery", {}).replace("SettingsPageQuery", "ChatPageQuery")
        answer = await post(client, payload)
    assert answer.json()["errors"] == [{"message": "PersistedQueryNotFound"}]


async def test_the_signature_covers_the_text_as_it_was_sent(make_client):
    async with make_client(connected=False) as client:
        payload = client.payload("SettingsPageQuery", {})
        spaced = json.dumps(json.loads(payload))
        assert spaced != payload
        assert (await post(client, spaced)).json()["data"]
        wrong = await post(client, spaced, **{"poe-tag-id": client.headers(payload)["poe-tag-id"]})
    assert wrong.status_code == 400
    assert wrong.json() == {"success": False, "errors": [{"message": "Invalid poe-tag-id"}], "data": None}


async def test_a_wrong_form_key_is_rejected(make_client, simulator):
    async with make_client(connected=False) as client:
        answer = await post(client, client.payload("SettingsPageQuery", {}), **{"Poe-Formkey": "0" * 32})
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"message": "Invalid form key"}]
    assert simulator.requests[-1].note == "the form key is not the account's"


async def test_an_unknown_or_expired_cookie_is_unauthorized(make_client):
    async with make_client(connected=False) as client:
        client.account.signed_out = True
        assert (await client.raw("SettingsPageQuery")).status_code == 401
        assert (await client.http.get("/api/settings")).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"queryName":"X"}', b'{"queryName":1,"variables":{}}'])
async def test_a_body_that_is_no_call_is_an_empty_400(make_client, body):
    async with make_client(connected=False) as client:
        answer = await client.http.post("/api/gql_POST", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.content) == (400, b"")


async def test_missing_variables_are_a_server_error_whose_reason_is_in_the_journal(make_client, simulator):
    async with make_client() as client:
        answer = (await client.raw("ChatPageQuery", {"chatCode": 7})).json()
    assert answer["errors"] == [{"message": "Server Error"}]
    assert "chatCode" in simulator.requests[-1].note


async def test_the_multipart_form_signs_only_the_query(make_client):
    async with make_client(connected=False) as client:
        payload = client.payload("SettingsPageQuery", {})
        answer = await client.http.post(
            "/api/gql_upload_POST", files={"queryInfo": (None, payload)}, headers=client.headers(payload)
        )
    assert answer.json()["data"]["viewer"]


async def test_requests_are_in_the_journal_with_name_account_and_status(make_client, simulator):
    async with make_client() as client:
        await client.query("SettingsPageQuery")
    *_, last = simulator.requests
    assert (last.method, last.path, last.query_name, last.account, last.status) == (
        "POST",
        "/api/gql_POST",
        "SettingsPageQuery",
        "cookie-1",
        200,
    )
    assert last.ended >= last.time


async def test_subscriptions_need_the_accounts_channel_and_known_hashes(make_client):
    async with make_client(connected=False) as client:
        await client.fetch_settings()
        entry = {"subscriptionName": "messageAdded", "query": None, "queryHash": "0" * 64}
        unknown = (await client.raw("SubscriptionsMutation", {"subscriptions": [entry]})).json()
        assert unknown["errors"] == [{"message": "PersistedQueryNotFound"}]
        client.channel["channel"] = "poe-chan-other"
        entry["queryHash"] = SUBSCRIPTIONS["messageAdded"][0]
        foreign = (await client.raw("SubscriptionsMutation", {"subscriptions": [entry]})).json()
        assert foreign["errors"] == [{"message": "Server Error"}]


def test_names_are_matched_with_the_first_letter_in_lower_case():
    assert lower_first("Knowledge_CreateKnowledgeSourceMutation") == "knowledge_CreateKnowledgeSourceMutation"
    assert lower_first("") == ""


async def test_telemetry_has_no_address_here(simulator):
    async with httpx.AsyncClient(base_url=simulator.base_url) as http:
        assert (await http.post("/api/receive_POST")).status_code == 404
