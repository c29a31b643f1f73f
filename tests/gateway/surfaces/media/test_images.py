"""The image endpoints over a scripted Poe: how many, in what form, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from accounts import AccountKind
from local.poe_official.media import png_bytes
from reverse.errors import ErrorCode, poe_error
from reverse.events import FileAttached, Finished, TextDelta, UsageReported
from reverse.fetch import FetchedFile
from tests.gateway.scripted import House, Pause

PNG = png_bytes()
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
WISH = {"model": "Painter", "prompt": "a cat"}


def image(name: str) -> FileAttached:
    return FileAttached(f"https://files.example.com/{name}.png", "image/png", f"{name}.png")


async def generate(house: House, **more: Any) -> Any:
    return await house.call("/v1/images/generations", WISH | more)


def form(*parts: tuple[str, str | bytes, str | None], boundary: str = "XX") -> tuple[bytes, dict[str, str]]:
    """A multipart body: (name, value, file name or `None`)."""
    body = b""
    for name, value, file_name in parts:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        body += f'; filename="{file_name}"\r\nContent-Type: image/png'.encode() if file_name is not None else b""
        body += b"\r\n\r\n" + (value.encode() if isinstance(value, str) else value) + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}


async def edit(house: House, *parts: tuple[str, str | bytes, str | None]) -> Any:
    body, headers = form(("model", "Painter", None), ("prompt", "a hat", None), *parts)
    return await house.call("/v1/images/edits", raw=body, headers=headers, method="POST")


async def test_an_image_is_answered_by_its_address(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Here it is."), image("a"), Finished())
    answer = await generate(house, size="1792x1024")
    assert answer.status == 200
    assert answer.json["data"] == [{"url": "https://files.example.com/a.png"}]
    usage = answer.json["usage"]
    assert (usage["estimated"], usage["points"], usage["points_estimated"]) == (True, None, False)
    asked = house.poe.requests[0]
    assert (asked.messages[0].text, asked.parameters) == ("a cat", {"aspect": "7:4"})
    assert house.store.released[0][0].is_success


@pytest.mark.parametrize("path", ["/images/generations", "/v1/images/generations"])
async def test_both_addresses_answer(house: House, path: str) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta(f"![x]({DATA_URL})"), image("a"), Finished())
    assert (await house.call(path, WISH)).json["data"] == [{"url": image("a").url}]


async def test_the_image_itself_can_be_asked_for_with_real_usage(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(FileAttached(DATA_URL, "image/png"), UsageReported(7, 100, points=300), Finished())
    answer = await generate(house, response_format="b64_json")
    assert base64.b64decode(answer.json["data"][0]["b64_json"]) == PNG
    usage = answer.json["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"], usage["points"]) == (7, 100, 107, 300)


async def test_several_are_made_at_once_within_the_accounts_places(house: House) -> None:
    await house.add_account(max_concurrency=2)
    pauses = [Pause() for _ in range(5)]
    for number, pause in enumerate(pauses):
        house.poe.enqueue(pause, image(str(number)), Finished())
    task = asyncio.create_task(generate(house, n=5))
    await house.until_asked(2)
    for pause in pauses:
        pause.event.set()
    answer = await task
    assert len({item["url"] for item in answer.json["data"]}) == 5
    assert house.store.most_held == 2
    line = house.lines("request.ended")[-1]
    assert line["attempts"] >= 5


async def test_a_bot_that_makes_several_gives_no_more_than_asked_for(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(image("a"), image("b"), image("a"), Finished())
    assert len((await generate(house)).json["data"]) == 1


async def test_what_was_made_is_given_although_another_failed(house: House) -> None:
    await house.add_account(max_concurrency=1)
    house.poe.enqueue(image("a"), Finished())
    house.poe.enqueue(poe_error(ErrorCode.CONTENT_REFUSED))
    assert len((await generate(house, n=2)).json["data"]) == 1


async def test_when_all_fail_the_failure_is_told(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.CONTENT_REFUSED))
    answer = await generate(house)
    assert (answer.status, answer.error["code"]) == (400, "content_filter")


@pytest.mark.parametrize(
    "steps",
    [
        [TextDelta("I would rather not."), Finished()],
        [FileAttached("https://files.example.com/a.txt", "text/plain"), Finished()],
        [TextDelta("http://169.254.169.254/latest"), Finished()],
        [FileAttached("file:///etc/passwd", "image/png"), Finished()],
        [FileAttached("http://10.0.0.1/a.png", "image/png"), Finished()],
        [FileAttached("data:text/plain;base64,aGk="), Finished()],
    ],
)
async def test_an_answer_without_an_image_is_the_upstreams_failure(house: House, steps: list[Any]) -> None:
    await house.add_account()
    house.poe.enqueue(*steps)
    answer = await generate(house)
    assert (answer.status, answer.error["code"]) == (400, "no_image")


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": 5}, "prompt", "invalid_type"),
        ({"prompt": "x" * 40_000}, "prompt", "invalid_type"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"n": 0}, "n", "out_of_range"),
        ({"n": 11}, "n", "out_of_range"),
        ({"n": "2"}, "n", "invalid_type"),
        ({"stream": True}, "stream", "unsupported_value"),
        ({"partial_images": 2}, "partial_images", "unsupported_value"),
        ({"response_format": "png"}, "response_format", "invalid_value"),
        ({"size": "huge"}, "size", "invalid_value"),
        ({"image_size": "2k"}, "image_size", "invalid_value"),
        ({"parameters": "["}, "parameters", "invalid_type"),
    ],
)
async def test_what_is_wrong_is_refused_before_any_account_is_asked(
    house: House, body: dict[str, Any], param: str, code: str
) -> None:
    await house.add_account()
    answer = await generate(house, **body)
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, param, code)
    assert not house.poe.requests


async def test_a_model_that_is_known_to_make_no_images_is_refused(house: House) -> None:
    models = [{"id": "Painter", "output_modalities": ["text"]}]
    await house.store.put_config("models", {"updated_at": 1.0, "models": models})
    answer = await generate(house)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "unsupported_endpoint", "model")


async def test_what_the_model_has_no_option_for_is_named(house: House) -> None:
    models = [{"id": "Painter", "output_modalities": ["image"], "parameters": []}]
    await house.store.put_config("models", {"updated_at": 1.0, "models": models})
    await house.add_account()
    house.poe.enqueue(image("a"), Finished())
    answer = await generate(house, size="1536x1024", style="vivid")
    assert answer.headers["x-gateway-ignored"] == "size, style"
    assert house.poe.requests[0].parameters == {}


async def test_the_web_is_told_to_make_nothing_but_the_image(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    house.poe.enqueue(image("a"), Finished())
    assert (await generate(house, model="nano-banana-2", size="2k")).status == 200
    assert house.poe.requests[0].parameters == {"image_size": "2K", "image_only": True}


async def test_a_form_with_images_and_a_mask(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(image("a"), Finished())
    answer = await edit(
        house,
        ("image[]", PNG, "one.png"),
        ("image[]", PNG, "../../etc/two"),
        ("mask", PNG, "m"),
        ("n", "1", None),
        ("size", "1536x1024", None),
        ("parameters", '{"seed": 1}', None),
    )
    assert answer.status == 200, answer.body
    asked = house.poe.requests[0]
    names = [file.name for file in asked.messages[0].attachments]
    assert names == ["one.png", "etc_two.png", "mask.png"]
    assert all((file.content_type, file.data) == ("image/png", PNG) for file in asked.messages[0].attachments)
    assert "mask" in asked.messages[0].text
    assert asked.parameters == {"seed": 1, "aspect": "3:2"}


async def test_a_mask_of_a_form_may_be_text(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(image("a"), Finished())
    answer = await edit(house, ("image", PNG, "one.png"), ("mask", DATA_URL, None))
    assert answer.status == 200, answer.body
    message = house.poe.requests[0].messages[0]
    assert [file.name for file in message.attachments] == ["one.png", "mask.png"]
    assert "mask" in message.text


@pytest.mark.parametrize(
    "more",
    [{"image": DATA_URL}, {"image": [DATA_URL]}, {"images": [{"image_url": DATA_URL}]}, {"image": {"url": DATA_URL}}],
)
async def test_json_with_an_image(house: House, more: dict[str, Any]) -> None:
    await house.add_account()
    house.poe.enqueue(image("a"), Finished())
    answer = await house.call("/v1/images/edits", WISH | more)
    assert answer.status == 200, answer.body
    (attachment,) = house.poe.requests[0].messages[0].attachments
    assert attachment.data == PNG


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("/etc/passwd", "invalid_url"),
        ("file:///etc/passwd", "invalid_url"),
        ("http://example.com/a.png", "invalid_url"),
        ("https://169.254.169.254/a.png", "unsafe_url"),
        ("https://localhost/a.png", "unsafe_url"),
        ("data:image/png;base64,!!!!", "invalid_image"),
        ("data:image/png;base64,aGVsbG8=", "invalid_image"),
        ("data:nonsense", "invalid_image"),
        (5, "invalid_type"),
        (["x"] * 17, "out_of_range"),
    ],
)
async def test_a_json_image_that_is_none_is_refused(house: House, value: Any, code: str) -> None:
    await house.add_account()
    answer = await house.call("/v1/images/edits", WISH | {"image": value})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, "image")
    assert not house.poe.requests


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "missing_required_parameter"),
        ([("image", b"not an image", "a.png")], "invalid_image"),
        ([("image", "/etc/passwd", None)], "invalid_url"),
        ([("strange", PNG, "a.png")], "unknown_parameter"),
        ([("image", PNG, "a.png"), ("mask2", PNG, "m.png")], "unknown_parameter"),
        ([("image", PNG, "a.png"), ("mask", PNG, "m.png"), ("mask", PNG, "m.png")], "out_of_range"),
        ([("image", PNG, "a.png"), ("mask", PNG, "m.png"), ("mask", DATA_URL, None)], "out_of_range"),
        ([("image", PNG, "a.png"), ("mask", "/etc/passwd", None)], "invalid_url"),
        ([("image", PNG, "a.png"), ("n", "many", None)], "invalid_type"),
        ([("image", PNG, "a.png"), ("stream", "true", None)], "unsupported_value"),
        ([("image[]", PNG, "a.png")] * 18, "invalid_multipart"),
        ([(f"f{n}", "x", None) for n in range(70)], "invalid_multipart"),
        ([("prompt", "x" * 300_000, None)], "invalid_multipart"),
    ],
)
async def test_a_form_that_is_hostile_or_wrong_is_refused(house: House, parts: list[Any], code: str) -> None:
    await house.add_account()
    answer = await edit(house, *parts)
    assert (answer.status, answer.error["code"]) == (400, code), answer.body
    assert not house.poe.requests


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=XX"),
        (b"--XX\r\n", "multipart/form-data; boundary=XX"),
        (b"--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--", "multipart/form-data; boundary=XX"),
        (b"nothing of the kind", "multipart/form-data; boundary=XX"),
        (b"--XX\r\n" + b"x: y\r\n" * 50_000, "multipart/form-data; boundary=XX"),
        (b"--XX\r\n" + b"x" * 500_000, "multipart/form-data; boundary=XX"),
        (b"--XX--", "multipart/form-data"),
        (b"--XX--", "multipart/form-data; boundary="),
        (b"--XX--", "multipart/form-data; boundary=" + "X" * 5000),
        (
            b'--XX\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\nx\r\n--XX--',
            "multipart/form-data; boundary=XX",
        ),
    ],
)
async def test_a_broken_form_is_a_400(house: House, body: bytes, content_type: str) -> None:
    answer = await house.call("/v1/images/edits", raw=body, headers={"content-type": content_type}, method="POST")
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"


async def test_a_form_over_the_limit_is_a_413(house: House) -> None:
    body, headers = form(("image", bytes(7_000_000), "a.png"))
    answer = await house.call("/v1/images/edits", raw=body, headers=headers, method="POST")
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


async def test_a_model_of_the_image_endpoint_alone_edits_too(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(FileAttached(DATA_URL, "image/png"), Finished())
    answer = await house.call("/v1/images/edits", {"model": "gpt-image-1", "prompt": "x", "image": DATA_URL})
    assert answer.status == 200
    assert house.poe.requests[-1].messages[0].attachments


async def test_input_images_that_are_too_large_together_are_refused_before_all_are_fetched(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add_account()
    fetched: list[str] = []

    async def fetch(url: str, **_: Any) -> FetchedFile:
        fetched.append(url)
        return FetchedFile(PNG + bytes(15 * 1024 * 1024), "image/png", "a.png")

    monkeypatch.setattr("reverse.fetch.fetch", fetch)
    images = [f"https://files.example.com/{number}.png" for number in range(16)]
    answer = await house.call("/v1/images/edits", {"model": "gpt-image-1", "prompt": "x", "image": images})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "file_too_large", "image")
    assert len(fetched) == 3
    assert not house.poe.requests


async def test_images_too_large_for_a_buffered_response_are_refused(house: House) -> None:
    await house.add_account()
    large = "data:image/png;base64," + base64.b64encode(PNG + bytes(4_500_000)).decode()

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 60_000

    for scope, status in (({}, 200), ({"aws.context": Context()}, 400)):
        house.poe.enqueue(FileAttached(large, "image/png"), Finished())
        answer = await house.call("/v1/images/generations", WISH | {"response_format": "b64_json"}, scope=scope)
        assert answer.status == status
    assert answer.error["code"] == "response_too_large"


@pytest.mark.parametrize(("kinds", "expected"), [(["web"], "cookie"), (["official", "web"], "key"), (None, "key")])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/images/generations", {"prompt": "x"}),
        ("/v1/audio/speech", {"input": "x"}),
        ("/v1/videos", {"prompt": "x"}),
        ("/v1/completions", {"prompt": "x"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
    ],
)
async def test_a_bot_that_only_the_web_lists_is_asked_there(
    house: House, kinds: Any, expected: str, path: str, body: dict[str, Any]
) -> None:
    await house.store.put_config("models", {"updated_at": 1.0, "models": [{"id": "Bot", "kinds": kinds}]})
    await house.add_account("key")
    await house.add_account("cookie", AccountKind.WEB)
    await house.call(path, {"model": "bot", **body})
    assert list(house.poe.clients[0].credentials.values()) == [expected]
