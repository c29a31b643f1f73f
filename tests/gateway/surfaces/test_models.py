"""The list of models as programs read it: encoded once, and never with what another key may see."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.models.model import Model
from gateway.surfaces import kept_bodies
from gateway.surfaces.kept_bodies import MOST_KEPT, KeptBodies
from tests.gateway.scripted import Answer, House

NARROW, WIDE, OTHER = (f"sk-{name}-q7Zk3vP8RmT5xWn2LyB9dHc4" for name in ("narrow", "wide", "other"))
ANTHROPIC = {"anthropic-version": "2023-06-01"}
MODELS = [{"id": f"model-{number}"} for number in range(30)]


@pytest.fixture
async def house(house: House) -> House:
    await house.store.put_config("models", {"updated_at": 1.0, "models": MODELS})
    for secret, models in ((NARROW, ["model-1", "best"]), (WIDE, ["model-2*"]), (OTHER, ["model-1", "best"])):
        await house.store.create_key(name=secret[:9], secret=secret, models=models)
    return house


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each model that is shown, and each body that is encoded."""
    work: list[str] = []
    show, encode = Model.to_openai, kept_bodies.encode
    monkeypatch.setattr(Model, "to_openai", lambda model: work.append(model.id) or show(model))
    monkeypatch.setattr(kept_bodies, "encode", lambda value: work.append("body") or encode(value))
    return work


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200
    return [model["id"] for model in answer.json["data"]]


async def test_a_list_is_encoded_once(house: House, encoded: list[str]) -> None:
    first = await house.call("/v1/models")
    assert (len(ids(first)), len(encoded)) == (30, 31)
    again = await house.call("/v1/models")
    unchanged = await house.call("/v1/models", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (200, first.body, first.headers["etag"])
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert len(encoded) == 31


async def test_a_key_sees_what_it_may_use_and_shares_only_with_keys_of_the_same_list(
    house: House, encoded: list[str]
) -> None:
    for _ in range(2):
        assert len(ids(await house.call("/v1/models"))) == 30
        assert ids(await house.call("/v1/models", key=NARROW)) == ["model-1"]
        assert ids(await house.call("/v1/models", key=WIDE)) == ["model-2", *(f"model-2{n}" for n in range(10))]
        assert ids(await house.call("/v1/models", key=OTHER)) == ["model-1"]
    assert encoded.count("body") == 3
    tags = {(await house.call("/v1/models", key=key)).headers["etag"] for key in (NARROW, WIDE)}
    for tag in tags:
        assert (await house.call("/v1/models", headers={"if-none-match": tag})).status == 200, "not its own"


async def test_a_key_whose_list_changes_sees_another_one_at_once(house: House) -> None:
    assert ids(await house.call("/v1/models", key=NARROW)) == ["model-1"]
    (key,) = [key for key in (await house.store.list_keys()).items if key.name == NARROW[:9]]
    changed = await house.admin(f"/keys/{key.id}", {"models": ["model-3"]}, method="PATCH")
    assert changed.status == 200
    assert ids(await house.call("/v1/models", key=NARROW)) == ["model-3"]
    assert ids(await house.call("/v1/models", key=OTHER)) == ["model-1"]


async def test_either_shape_and_every_page_has_a_body_of_its_own(house: House, encoded: list[str]) -> None:
    for _ in range(2):
        assert "object" in (await house.call("/v1/models")).json
        first = await house.call("/v1/models", headers=ANTHROPIC)
        assert (len(ids(first)), first.json["has_more"]) == (20, True)
        second = await house.call(f"/v1/models?after_id={first.json['last_id']}", headers=ANTHROPIC)
        assert (len(ids(second)), second.json["has_more"]) == (10, False)
        before = await house.call(f"/v1/models?before_id={first.json['last_id']}&limit=2", headers=ANTHROPIC)
        assert ids(before) == ids(first)[17:19]
        # The same page in other words.
        assert (await house.call("/v1/models?limit=20&after_id=", headers=ANTHROPIC)).body == first.body
        assert ids(await house.call("/v1/models", headers=ANTHROPIC, key=NARROW)) == ["model-1"]
    assert encoded.count("body") == 5
    for wrong in ("limit=0", "after_id=nobody", "before_id=model-2&limit=x"):
        for _ in range(2):
            assert (await house.call(f"/v1/models?{wrong}", headers=ANTHROPIC)).status == 400
    assert (await house.call("/v1/models?after_id=model-2", headers=ANTHROPIC, key=NARROW)).status == 400


async def test_changes_show_at_once(house: House, encoded: list[str]) -> None:
    plain = ids(await house.call("/v1/models", key=NARROW))
    for target in ("model-4", "model-5"):
        done = await house.admin("/config/models", {"aliases": {"best": target}}, method="PUT")
        assert done.status == 200
        rows = {row["id"]: row for row in (await house.call("/v1/models", key=NARROW)).json["data"]}
        assert rows["best"]["alias_of"] == target
    await house.admin("/config/models", {}, method="PUT")
    assert ids(await house.call("/v1/models", key=NARROW)) == plain
    await house.store.put_config("models", {"updated_at": 2.0, "models": [{"id": "model-1"}, {"id": "new"}]})
    await house.admin("/models/reload", method="POST")
    assert ids(await house.call("/v1/models")) == ["model-1", "new"]
    assert encoded.count("body") == 5


async def test_a_row_that_can_not_be_read_fails_no_request(house: House) -> None:
    document = {"updated_at": 2.0, "models": [{"id": "good"}, {"id": 5}, None], "names": [["good"], ["odd"], ["none"]]}
    await house.store.put_config("models", document)
    await house.add_account()
    for name in ("odd", "none", "good"):
        answer = await house.call(body={"model": name, "messages": [{"role": "user", "content": "hello"}]})
        assert (answer.status, answer.json["model"]) == (200, name)
        found = 200 if name == "good" else 404
        assert (await house.call(f"/v1/models/{name}")).status == found
    assert [request.bot for request in house.poe.requests] == ["odd", "none", "good"], "Poe knows more than any list"
    assert ids(await house.call("/v1/models")) == ["good"]
    assert [line["config"] for line in house.lines("config.unusable")] == ["models"]


def test_a_few_bodies_are_kept_and_the_one_not_used_for_longest_goes_first() -> None:
    kept, made = KeptBodies(), []
    models: list[Model] = []

    def ask(view: int) -> Any:
        return kept.body(models, view, lambda: made.append(view) or view).content

    for view in range(MOST_KEPT):
        assert ask(view) == str(view).encode()
    ask(0)
    ask(MOST_KEPT)
    ask(0)
    assert made == [*range(MOST_KEPT + 1)]
    ask(1)
    assert made[-1] == 1, "it was the one to go"
    assert len(kept._bodies) == MOST_KEPT
    models = []
    ask(0)
    assert (made[-1], len(kept._bodies)) == (0, 1), "an equal list is another one"


def test_what_can_not_be_made_is_not_kept() -> None:
    kept, models = KeptBodies(), list[Model]()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            kept.body(models, "view", lambda: 1 / 0)
    assert kept.body(models, "view", lambda: None).content == b"null"
