"""Files in the three forms in which clients upload them."""

import json

import pytest

NEWER = -1
FORM = {"chatNonce": "0123456789abcdef", "referencedMessageId": None, "parameters": None}


async def test_files_in_the_mutation_as_query_info(make_client):
    async with make_client() as client:
        payload = client.payload(
            "SendMessageMutation", client.send_variables("Echo", "look", attachments=["file0", "file1"])
        )
        parts = {
            "queryInfo": (None, payload),
            "file0": ("a.txt", b"hello", "text/plain"),
            "file1": ("b.png", b"\x89PNG", "image/png"),
        }
        await client.http.post("/api/gql_upload_POST", files=parts, headers=client.headers(payload))
        await client.until(client.is_over)
    text = client.bot_messages()[-1]["text"]
    assert text.endswith("a.txt (text/plain, 5 bytes)\nb.png (image/png, 4 bytes)")
    assert [a.name for a in client.account.messages[0].attachments] == ["a.txt", "b.png"]


async def test_files_in_the_mutation_as_operations_and_map(make_client):
    async with make_client() as client:
        payload = client.payload("SendMessageMutation", client.send_variables("Echo", "look", attachments=[None]))
        parts = {
            "operations": (None, payload),
            "map": (None, '{"0":["variables.attachments.0"]}'),
            "0": ("a.txt", b"hello", "text/plain"),
        }
        await client.http.post("/api/gql_upload_POST", files=parts, headers=client.headers(payload))
        await client.until(client.is_over)
    assert client.bot_messages()[-1]["text"].endswith("a.txt (text/plain, 5 bytes)")


async def upload(client, *parts):
    headers = client.headers()
    del headers["poe-tag-id"]
    return await client.http.post("/api/finish_upload_POST", files=list(parts), headers=headers)


async def test_files_ahead_of_the_mutation_are_named_by_tokens(make_client):
    async with make_client(generation=NEWER) as client:
        token = (await upload(client, ("file", ("a.txt", b"hello", "text/plain")))).json()["fileHashJwt"]
        assert token.count(".") == 2
        await client.ask("Echo", "look", attachments=["file0"], fileHashJwts=[token], **FORM)
    assert client.bot_messages()[-1]["text"].endswith("a.txt (text/plain, 5 bytes)")


async def test_a_token_that_was_not_given_out_is_a_server_error(make_client):
    async with make_client(generation=NEWER) as client:
        form = FORM | {"attachments": ["file0"], "fileHashJwts": ["a.b.c"]}
        answer = (await client.raw("SendMessageMutation", client.send_variables("Echo", "look", **form))).json()
    assert answer["errors"]


async def test_an_upload_needs_the_form_key_and_one_file(make_client):
    async with make_client() as client:
        part = ("file", ("a.txt", b"hello", "text/plain"))
        assert (await upload(client, part, part)).status_code == 400
        assert (await upload(client, ("queryInfo", (None, "{}")))).status_code == 400
        assert (await client.http.post("/api/finish_upload_POST", files=[part])).status_code == 400
        client.http.cookies.clear()
        assert (await upload(client, part)).status_code == 401


@pytest.mark.parametrize(
    ("name", "size", "status"), [("a.exe", 1, "unsupported_file_type"), ("a.txt", 60 * 1024 * 1024, "file_too_large")]
)
async def test_files_that_a_bot_does_not_take_are_refused_by_status(make_client, simulator, name, size, status):
    async with make_client() as client:
        simulator.bots.named("Echo").upload_limit = 1024
        payload = client.payload("SendMessageMutation", client.send_variables("Echo", "look", attachments=["file0"]))
        parts = {"queryInfo": (None, payload), "file0": (name, b"x" * min(size, 2048), "text/plain")}
        answer = await client.http.post("/api/gql_upload_POST", files=parts, headers=client.headers(payload))
    assert answer.json()["data"]["messageEdgeCreate"]["status"] == status


@pytest.mark.parametrize(
    "parts",
    [
        [("file0", ("a.txt", b"x", "text/plain"))],
        [("queryInfo", ("q.json", b"{}", "application/json"))],
        [("queryInfo", (None, "{}")), ("file0", (None, "no file"))],
        [("operations", (None, "{}")), ("map", (None, "[]"))],
        [("operations", (None, "{}")), ("map", (None, '{"0":[]}'))],
        [("operations", (None, "{}")), ("map", (None, '{"0":7}'))],
    ],
)
async def test_a_multipart_body_of_no_known_form_is_an_empty_400(make_client, parts):
    async with make_client() as client:
        answer = await client.http.post("/api/gql_upload_POST", files=parts, headers=client.headers(json.dumps({})))
    assert (answer.status_code, answer.content) == (400, b"")
