"""Videos: made by asking a bot, and as Poe's own jobs."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from reverse.errors import ErrorCode, poe_error
from reverse.events import FileAttached, Finished, TextDelta
from tests.gateway.scripted import API_KEY, House
from tests.gateway.surfaces.media.conftest import learn_models
from tests.gateway.surfaces.media.test_images import DATA_URL, PNG, form
from tests.gateway.test_bootstrap import RealHouse

ASK = {"model": "Filmmaker", "prompt": "a cat"}
FILM = FileAttached("https://files.example.com/film.mp4", "video/mp4")


async def test_a_bots_answer_is_a_complete_job_that_only_its_key_sees(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    house.poe.enqueue(TextDelta("Here."), FILM, Finished())
    made = await house.call("/v1/videos", ASK | {"seconds": "8", "size": "1280x720"})
    assert made.status == 200, made.body
    job = made.json
    assert (job["object"], job["status"], job["progress"], job["prompt"]) == ("video", "completed", 100, "a cat")
    assert (job["seconds"], job["size"]) == ("8", "1280x720")
    assert made.headers["x-gateway-ignored"] == "seconds"
    assert house.poe.requests[0].parameters == {"aspect": "16:9"}
    again = await house.call(f"/v1/videos/{job['id']}")
    assert job["usage"] == {"points": None, "points_estimated": False}
    assert again.json == {name: value for name, value in job.items() if name not in ("prompt", "usage")}
    assert "account" not in again.body.decode()
    await house.store.create_key(name="other", secret=API_KEY + "-other")
    for path in (f"/v1/videos/{job['id']}", f"/v1/videos/{job['id']}/content"):
        assert (await house.call(path, key=API_KEY + "-other")).status == 404
    assert (await house.call(f"/v1/videos/{job['id']}", method="DELETE", key=API_KEY + "-other")).status == 404
    deleted = await house.call(f"/v1/videos/{job['id']}", method="DELETE")
    assert deleted.json == {"id": job["id"], "object": "video.deleted", "deleted": True}
    assert (await house.call(f"/v1/videos/{job['id']}")).status == 404


async def test_a_job_is_kept_for_a_day(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.add_account()
    kept: list[float | None] = []
    put = house.store.put_document

    async def note(*arguments: Any, ttl_seconds: float | None) -> None:
        kept.append(ttl_seconds)
        await put(*arguments, ttl_seconds=ttl_seconds)

    monkeypatch.setattr(house.store, "put_document", note)
    house.poe.enqueue(FILM, Finished())
    job = (await house.call("/v1/videos", ASK)).json
    assert kept == [pytest.approx(86_400, abs=60)]
    assert job["expires_at"] - job["created_at"] == 86_400


@pytest.mark.parametrize("as_form", [True, False])
async def test_an_image_to_begin_with(house: House, as_form: bool) -> None:
    await house.add_account()
    house.poe.enqueue(FILM, Finished())
    if as_form:
        parts = [("model", "Filmmaker", None), ("prompt", "go", None), ("input_reference", PNG, "a.png")]
        body, headers = form(*parts)
        answer = await house.call("/v1/videos", raw=body, headers=headers, method="POST")
    else:
        answer = await house.call("/v1/videos", ASK | {"input_reference": {"image_url": DATA_URL}})
    assert answer.status == 200, answer.body
    (attachment,) = house.poe.requests[0].messages[0].attachments
    assert attachment.data == PNG


async def test_an_answer_without_a_video_is_the_upstreams_failure(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("no"), Finished())
    answer = await house.call("/v1/videos", ASK)
    assert (answer.status, answer.error["code"]) == (400, "no_video")
    house.poe.enqueue(poe_error(ErrorCode.CONTENT_REFUSED))
    assert (await house.call("/v1/videos", ASK)).error["code"] == "content_filter"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"model": None}, "model"),
        ({"seconds": "long"}, "seconds"),
        ({"seconds": "0"}, "seconds"),
        ({"seconds": "9" * 50}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": "000100999999"}, "seconds"),
        ({"seconds": "9" * 5000}, "seconds"),
        ({"seconds": "0" * 5000}, "seconds"),
        ({"seconds": 601}, "seconds"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": 4.5}, "seconds"),
        ({"seconds": "٤"}, "seconds"),
        ({"parameters": {"seconds": "000100999999"}}, "parameters.seconds"),
        ({"size": "big"}, "size"),
        ({"input_reference": {"file_id": "file_1"}}, "input_reference"),
        ({"input_reference": "/etc/passwd"}, "input_reference"),
        ({"parameters": []}, "parameters"),
        ({"model": "gpt-image-1"}, "model"),
    ],
)
async def test_what_is_wrong_is_refused(house: House, body: dict[str, Any], param: str) -> None:
    await house.add_account()
    answer = await house.call("/v1/videos", ASK | body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert not house.poe.requests


async def test_listing_is_not_a_method(house: House) -> None:
    assert (await house.call("/v1/videos")).status == 405


async def test_poes_own_job_from_queue_to_content(official_house: RealHouse) -> None:
    await learn_models(official_house)
    made = await official_house.call("/v1/videos", {"model": "veo-3.1", "prompt": "a cat", "seconds": 4})
    assert (made.status, made.json["status"]) == (200, "queued"), made.body
    path = f"/v1/videos/{made.json['id']}"
    early = await official_house.call(f"{path}/content")
    assert (early.status, early.error["code"]) == (400, "video_not_ready")
    states = [(await official_house.call(path)).json["status"] for _ in range(3)]
    assert states[-1] == "completed"
    assert "in_progress" in states or "queued" in states
    content = await official_house.call(f"{path}/content")
    assert (content.status, content.headers["content-type"]) == (200, "video/mp4")
    assert content.body[4:8] == b"ftyp"
    assert official_house.store.released[0][0].is_success
    wrong = await official_house.call(f"{path}/content?variant=thumbnail")
    assert (wrong.status, wrong.error["param"]) == (400, "variant")


async def test_what_poes_own_job_can_not_be_told_is_reported(official_house: RealHouse) -> None:
    await learn_models(official_house)
    wish = {"model": "veo-3.1", "prompt": "a cat", "aspect_ratio": "16:9"}
    made = await official_house.call("/v1/videos", wish)
    assert (made.status, made.headers["x-gateway-ignored"]) == (200, "aspect_ratio")


async def test_poes_job_that_fails_says_so(official_house: RealHouse) -> None:
    await learn_models(official_house)
    made = await official_house.call("/v1/videos", {"model": "Sora-2", "prompt": "please fail"})
    path = f"/v1/videos/{made.json['id']}"
    states = [(await official_house.call(path)).json for _ in range(4)]
    assert states[-1]["status"] == "failed"
    assert states[-1]["error"]["code"] == "upstream_error"
    assert (await official_house.call(f"{path}/content")).error["code"] == "video_not_ready"


async def test_a_job_whose_account_is_gone_is_gone(official_house: RealHouse) -> None:
    await learn_models(official_house)
    made = await official_house.call("/v1/videos", {"model": "veo-3.1", "prompt": "a cat"})
    (account,) = (await official_house.store.list_accounts()).items
    await official_house.store.delete_account(account.id)
    assert (await official_house.call(f"/v1/videos/{made.json['id']}")).status == 404


async def test_a_bot_without_the_endpoint_is_asked_in_a_chat(official_house: RealHouse) -> None:
    await learn_models(official_house)
    made = await official_house.call("/v1/videos", ASK)
    assert (made.status, made.json["status"]) == (200, "completed"), made.body
    content = await official_house.call(f"/v1/videos/{made.json['id']}/content")
    assert content.body[4:8] == b"ftyp"
