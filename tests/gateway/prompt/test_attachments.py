"""Files of a request: read before any account is touched."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from accounts import AccountKind
from gateway.http.errors import GatewayError
from gateway.models.capabilities import UNKNOWN, ModelFacts
from gateway.prompt.attachments import MAX_FILE_BYTES, AttachmentReader
from gateway.settings import Settings
from gateway.surfaces.chat.request import read_chat_request
from reverse.chat import Attachment, Message
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.fetch import FetchedFile
from tests.gateway.scripted import House, ask

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
MP3 = b"ID3" + b"\0" * 16
PDF = b"%PDF-1.7 ..."


class Internet:
    """The outside world: files by address."""

    def __init__(self, **files: bytes | PoeError) -> None:
        self.files = {f"https://example.org/{name.replace('__', '.')}": data for name, data in files.items()}
        self.fetched: list[str] = []

    async def __call__(self, url: str) -> FetchedFile:
        self.fetched.append(url)
        found = self.files[url]
        if isinstance(found, PoeError):
            raise found
        return FetchedFile(found, "image/png", url.rsplit("/", 1)[-1], url)


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


async def read(*files: Attachment, internet: Internet | None = None, facts: ModelFacts = UNKNOWN) -> list[Attachment]:
    reader = AttachmentReader(internet or Internet())
    (turn,) = await reader.read([Message("user", "x", files)], facts)
    return list(turn.attachments)


@pytest.mark.parametrize(
    ("name", "declared", "data", "expected"),
    [
        ("image.jpg", "image/jpeg", PNG, "image/png"),
        ("image", "application/octet-stream", PNG, "image/png"),
        ("audio.wav", "audio/wav", MP3, "audio/mpeg"),
        ("a.pdf", "application/octet-stream", PDF, "application/pdf"),
        ("notes.md", "application/octet-stream", b"# Notes", "text/markdown"),
        ("x", "image/png", b"\0\1unknown", "application/octet-stream"),
        ("x", "application/octet-stream", b"text", "text/plain"),
        ("x.bin", "application/x-own", b"\0\1\2", "application/x-own"),
    ],
)
async def test_a_files_type_is_by_its_bytes(name: str, declared: str, data: bytes, expected: str) -> None:
    (file,) = await read(Attachment(name, declared, data))
    assert (file.content_type, file.data) == (expected, data)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("image.plain", PNG, "image.png"),
        ("a.b.jpg", PNG, "a_b.png"),
        ("photo.png", PNG, "photo.png"),
        ("sound.wav", MP3, "sound.wav"),
        ("sound", MP3, "sound.mp3"),
        ("a.pdf", PDF, "a.pdf"),
        ("notes.weird", b"text", "notes.weird"),
    ],
)
async def test_a_name_says_what_the_bytes_are(name: str, data: bytes, expected: str) -> None:
    (file,) = await read(Attachment(name, "application/octet-stream", data))
    assert file.name == expected


async def test_addresses_are_fetched_once_also_in_later_requests() -> None:
    internet = Internet(a__png=PNG)
    reader = AttachmentReader(internet)
    file = Attachment("a", "", url="https://example.org/a.png")
    turns = [Message("user", "1", (file,)), Message("user", "2", (file,))]
    for _ in range(2):
        read_turns = await reader.read(turns, UNKNOWN)
        assert [turn.attachments[0].data for turn in read_turns] == [PNG, PNG]
    assert internet.fetched == ["https://example.org/a.png"]


async def test_a_fetched_file_is_not_kept_for_long() -> None:
    """However often it is used, and although the clock may be set back meanwhile."""
    internet = Internet(a__png=PNG)
    now = 1000.0
    reader = AttachmentReader(internet, clock=lambda: now)
    turns = [Message("user", "1", (Attachment("a", "", url="https://example.org/a.png"),))]
    fetched = []
    for now in (1000.0, 1150.0, 1299.0, 1300.0, 1599.0, 1601.0, 500.0, 799.0):  # noqa: B007 - the clock reads it
        await reader.read(turns, UNKNOWN)
        fetched.append(len(internet.fetched))
    assert fetched == [1, 1, 1, 2, 2, 3, 4, 4]


async def test_the_cache_has_a_limit() -> None:
    big = PNG + b"\0" * 7 * 1024 * 1024
    internet = Internet(a=big, b=big, c=big)
    reader = AttachmentReader(internet)
    for name in "abca":
        await reader.read([Message("user", "x", (Attachment(name, "", url=f"https://example.org/{name}"),))], UNKNOWN)
    assert len(internet.fetched) == 4


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (Attachment("a.png", "image/png", b""), "empty_file"),
        (Attachment("a.png", "image/png", PNG + b"\0" * MAX_FILE_BYTES), "file_too_large"),
        (Attachment("a", "", url="https://example.org/private"), "unsafe_url"),
        (Attachment("a", "", url="https://example.org/large"), "file_too_large"),
        (Attachment("a", "", url="https://example.org/gone"), "file_not_fetched"),
    ],
)
async def test_a_bad_file_is_the_callers_error(file: Attachment, code: str) -> None:
    internet = Internet(
        private=poe_error(ErrorCode.UNSAFE_URL),
        large=poe_error(ErrorCode.FILE_TOO_LARGE),
        gone=poe_error(ErrorCode.INVALID_REQUEST),
    )
    with pytest.raises(GatewayError) as caught:
        await read(file, internet=internet)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, "messages[0].content")
    assert ("from example.org" in caught.value.message) == (file.url is not None)
    assert "upstream" not in caught.value.message


@pytest.mark.parametrize("data", [b"hello", b"<!doctype html><p>Not found", b'{"error": 404}'])
@pytest.mark.parametrize("is_fetched", [True, False])
async def test_text_in_place_of_an_image_is_the_callers_error(data: bytes, is_fetched: bool) -> None:
    """Sites answer with a page where an image was; a model would be shown its source."""
    body = read_chat_request(
        {"model": "m", "messages": [{"role": "user", "content": [image("https://example.org/a")]}]}
    ).turns
    file = body[0].attachments[0] if is_fetched else Attachment("image.png", "image/png", data)
    with pytest.raises(GatewayError) as caught:
        await read(file, internet=Internet(a=data))
    assert caught.value.code == "invalid_image"


async def test_an_address_under_two_names_is_kept_once() -> None:
    """Counted twice, the cache would at last look for something to throw away in vain."""
    big = PNG + b"\0" * 6 * 1024 * 1024
    internet = Internet(a=big, b=big, c=big)

    async def fetch(url: str) -> FetchedFile:
        await asyncio.sleep(0)
        return await internet(url)

    reader = AttachmentReader(fetch)
    for name in "abc":
        url = f"https://example.org/{name}"
        files = (Attachment("one", "", url=url), Attachment("two", "", url=url))
        await reader.read([Message("user", "x", files)], UNKNOWN)
    assert len(internet.fetched) == 6
    await reader.read([Message("user", "x", (Attachment("one", "", url="https://example.org/b"),))], UNKNOWN)
    assert len(internet.fetched) == 6, "the two newest are kept"


async def test_files_that_are_too_large_together_are_not_all_fetched() -> None:
    """Twenty of them would be more than the function's memory."""
    reached = at_once = most_at_once = 0

    async def fetch(url: str) -> FetchedFile:
        nonlocal reached, at_once, most_at_once
        reached, at_once = reached + 1, at_once + 1
        most_at_once = max(most_at_once, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return FetchedFile(PNG + b"\0" * 9 * 1024 * 1024, "image/png", "a.png", url)

    files = tuple(Attachment("a", "", url=f"https://example.org/{number}") for number in range(20))
    with pytest.raises(GatewayError) as caught:
        await AttachmentReader(fetch).read([Message("user", "x", files)], UNKNOWN)
    assert caught.value.code == "file_too_large"
    assert most_at_once == 4
    assert reached <= 8


async def test_too_many_files() -> None:
    with pytest.raises(GatewayError) as caught:
        await read(*(Attachment(f"{number}.png", "image/png", PNG + bytes([number])) for number in range(21)))
    assert caught.value.code == "too_many_files"


@pytest.mark.parametrize(("data", "modality"), [(PNG, "image"), (MP3, "audio")])
async def test_a_kind_of_file_that_the_model_is_known_not_to_take(data: bytes, modality: str) -> None:
    file = Attachment("x", "application/octet-stream", data)
    assert await read(file, facts=ModelFacts(input_modalities=frozenset({"text", modality})))
    with pytest.raises(GatewayError) as caught:
        await read(file, facts=ModelFacts(input_modalities=frozenset({"text"})))
    assert caught.value.code == "unsupported_file"
    assert modality in caught.value.message


@pytest.mark.parametrize("kind", list(AccountKind))
async def test_files_reach_the_account_in_use_as_bytes(environment: dict[str, str], kind: AccountKind) -> None:
    house = House(Settings.from_env(environment), fetch=Internet(cat__png=PNG))
    await house.add_key()
    await house.add_account("a", kind)
    parts = [
        {"type": "text", "text": "What?"},
        image("https://example.org/cat.png"),
        image(data_url(PNG + b"2")),
        {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url(PDF, "application/pdf")}},
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(MP3).decode(), "format": "mp3"}},
    ]
    assert (await house.call(body=ask(parts))).status == 200
    (message,) = house.poe.requests[0].messages
    assert message.text == "What?"
    assert [(file.content_type, file.data) for file in message.attachments] == [
        ("image/png", PNG),
        ("image/png", PNG + b"2"),
        ("application/pdf", PDF),
        ("audio/mpeg", MP3),
    ]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (image("https://example.org/private"), "unsafe_url"),
        (image("data:image/png;base64,"), "empty_file"),
        (image("data:image/png;base64,@@@"), "invalid_base64"),
        (image("http://example.org/a.png"), "invalid_url"),
        (image("/etc/passwd"), "invalid_url"),
        ({"type": "file", "file": {"file_id": "file-123"}}, "unsupported_file_id"),
    ],
)
async def test_a_bad_file_touches_no_account(environment: dict[str, str], part: dict[str, Any], code: str) -> None:
    house = House(Settings.from_env(environment), fetch=Internet(private=poe_error(ErrorCode.UNSAFE_URL)))
    await house.add_key()
    account = await house.add_account()
    before = await house.store.get_account(account)
    answer = await house.call(body=ask([part]))
    assert (answer.status, answer.error["code"]) == (400, code)
    assert house.store.most_held == 0
    assert await house.store.get_account(account) == before


async def test_files_that_are_too_large_together() -> None:
    files = [Attachment(f"{number}.png", "image/png", PNG + bytes([number]) * 9 * 1024 * 1024) for number in range(4)]
    assert len(await read(*files[:3])) == 3
    with pytest.raises(GatewayError) as caught:
        await read(*files)
    assert (caught.value.status, caught.value.code) == (400, "file_too_large")


BODIES: dict[str, Any] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": [image("https://example.org/a?sig=s3cret")]}]},
    "/v1/responses": {
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": "https://example.org/a?sig=s3cret"}],
            }
        ]
    },
    "/v1/messages": {
        "max_tokens": 9,
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://example.org/a?sig=s3cret"}}],
            }
        ],
    },
}


@pytest.mark.parametrize("path", BODIES)
async def test_a_file_that_could_not_be_fetched_says_so_on_every_surface(
    environment: dict[str, str], path: str
) -> None:
    reason = "the host of the file's address is not known"
    internet = Internet(**{"a?sig=s3cret": poe_error(ErrorCode.INVALID_REQUEST, reason)})
    house = House(Settings.from_env(environment), fetch=internet)
    await house.add_key()
    answer = await house.call(path, {"model": "GPT-5", **BODIES[path]})
    assert answer.status == 400
    assert "from example.org could not be fetched: " + reason in answer.json["error"]["message"]
    assert b"s3cret" not in answer.body
    await house.services.aclose()
