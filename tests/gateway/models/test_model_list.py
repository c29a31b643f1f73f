"""A list of models by name: it gives the answers of one that was read whole, and reads what it is asked for."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import gateway.models
from accounts._documents import Rows, pack_by_row, unpack
from gateway.models.aliases import key_of
from gateway.models.model import Model, read_model, row_names
from gateway.models.model_list import ModelList, bot_by_codename, embedded
from tests.accounts.test_documents import counted_rows

CODENAMES: dict[str, str] = json.loads(
    (Path(gateway.models.__file__).parent / "data/codenames.json").read_text(encoding="utf-8")
)["codenames"]


class WholeList:
    """All models made, and all names told apart, at once: what every list was before rows were read by need."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        by_bot = {name.lower(): codename for name, codename in CODENAMES.items()}
        models = [
            read_model(row, int(document.get("created", 0)), by_bot.get(row["id"].lower()))
            for row in document["models"]
        ]
        self.models = sorted(models, key=lambda model: model.id.lower())
        dashed = [key_of(model.id).replace(".", "-") for model in models]
        times = Counter(dashed)
        self.by_name = {name: model for name, model in zip(dashed, models, strict=True) if times[name] == 1}
        self.by_name |= {key_of(alias): model for model in models for alias in model.aliases}
        self.by_name |= {key_of(model.id): model for model in models}


def colliding(seed: int, count: int = 300) -> dict[str, Any]:
    """A list whose ids and aliases collide in every way: case, spaces, dots, dashes, codenames, twins."""
    rng = random.Random(seed)
    known = [*CODENAMES, *CODENAMES.values()]

    def name() -> str:
        if rng.random() < 0.15:
            return rng.choice((str, str.upper, str.lower))(rng.choice(known))
        parts = [rng.choice(("a", "B", "c", "1", "2", "İ", "Σ", "ß")) for _ in range(rng.randint(1, 4))]
        return "".join(part + rng.choice(("-", ".", " ", "")) for part in parts)

    rows = []
    for number in range(count):
        row: dict[str, Any] = {"id": name(), "description": f"row {number}"}
        if rng.random() < 0.5:
            row["aliases"] = [name() for _ in range(rng.randint(0, 3))]
        rows.append(row)
    return {"updated_at": 1.0, "created": 7, "models": rows}


def with_names(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "names": [row_names(row) for row in document["models"]]}


def stored(document: Mapping[str, Any]) -> dict[str, Any]:
    """As the store gives it after the scheduled job has put it there."""
    return unpack(pack_by_row(with_names(document)))


def spellings(document: Mapping[str, Any]) -> list[str]:
    """Names of the list and near them."""
    names = [name for row in document["models"] for name in row_names(row)] + [*CODENAMES, *CODENAMES.values()]
    near = {name.replace(".", "-") for name in names} | {name.replace("-", ".") for name in names}
    found = {*names, *near, *map(str.upper, names), *map(str.lower, names), *map(key_of, names), "", "nobody's"}
    return sorted(found)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("give", [stored, with_names, dict], ids=["stored", "with names", "plain"])
def test_every_name_means_what_it_means_in_a_list_read_whole(seed: int, give: Any) -> None:
    document = colliding(seed)
    whole = WholeList(document)
    assert len(whole.by_name) > 150
    names = spellings(document)
    random.Random(seed).shuffle(names)
    lazy = ModelList(give(document))
    found = {name: lazy.find(name) for name in names}
    assert found == {name: whole.by_name.get(key_of(name)) for name in names}
    assert len({model.description for model in found.values() if model is not None}) > 100
    assert list(lazy.models()) == whole.models


def test_a_name_reads_its_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = counted_rows(monkeypatch)
    document = {"models": [{"id": f"Maker-{number}.5", "aliases": [f"m {number}"]} for number in range(300)]}
    models = ModelList(stored(document))
    assert parsed == []
    first = models.find("maker-17.5")
    assert first is not None and (first.id, parsed) == ("Maker-17.5", [17])
    for again in ("Maker-17-5", "M17", " maker-17.5", "nobody"):
        assert models.find(again) is (None if again == "nobody" else first)
    assert parsed == [17]


def test_all_models_are_made_once_and_stay_the_same_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = counted_rows(monkeypatch)
    models = ModelList(stored({"models": [{"id": name} for name in "cab"]}))
    early = models.find("b")
    all_of_them = models.models()
    assert [model.id for model in all_of_them] == ["a", "b", "c"]
    assert all_of_them[1] is early
    assert parsed == [2, 0, 1, 2], "all at once, after the one"
    assert models.models() is all_of_them
    assert [models.find(name) for name in "abc"] == list(all_of_them)
    assert len(parsed) == 4


BROKEN_ROWS: tuple[Any, ...] = (None, 5, "b", [], ["id"], {}, {"name": "b"})


@pytest.mark.parametrize("row", BROKEN_ROWS)
@pytest.mark.parametrize("has_names", [True, False])
@pytest.mark.parametrize("all_first", [True, False])
def test_a_row_that_can_not_be_read_is_left_out(row: Any, *, has_names: bool, all_first: bool) -> None:
    names = {"names": [["a"], ["b", "bee"], ["c"], ["d"]]} if has_names else {}
    told: list[Exception] = []
    models = ModelList({"models": [{"id": "a"}, row, {"id": "c"}, row], **names}, told.append)
    if all_first:
        assert [model.id for model in models.models()] == ["a", "c"]
    found = {name: models.find(name) for name in ("a", "b", "bee", "c", "d")}
    assert {name for name, model in found.items() if model is not None} == {"a", "c"}
    assert [model.id for model in models.models()] == ["a", "c"]
    assert len(told) == 1, "of the first one"


def test_a_line_that_is_no_json_is_left_out() -> None:
    told: list[Exception] = []
    rows = Rows([b'{"id":"a"},', b'{"id":"b"', b'{"id":"c"},{"id":"d"},', b'{"id":"e"}'])
    names = [["a"], ["b"], ["c"], ["e"]]
    for document in ({"models": rows, "names": names}, {"models": rows}):
        models = ModelList(document, told.append)
        assert [name for name in "abcde" if models.find(name) is not None] == ["a", "e"]
        assert [model.id for model in models.models()] == ["a", "e"]
    assert [type(error) for error in told] == [json.JSONDecodeError] * 2


def test_a_row_of_another_model_than_its_name_says_is_not_taken() -> None:
    models = ModelList({"models": [{"id": "a"}, {"id": "other"}], "names": [["a"], ["b"]]})
    assert (models.find("b"), models.find("other")) == (None, None)
    assert [model.id for model in models.models()] == ["a"]


@pytest.mark.parametrize(
    "names", [None, 5, "ab", {}, [], [["a"]], [["a"], []], [["a"], "b"], [["a"], [5]], [["a"], None], [["a"]] * 3]
)
def test_names_that_do_not_fit_the_rows_are_read_from_the_rows(names: Any) -> None:
    models = ModelList({"models": [{"id": "a"}, {"id": "b", "aliases": ["c"]}], "names": names})
    assert [found.id for name in "abc" if (found := models.find(name)) is not None] == ["a", "b", "b"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"models": None},
        {"models": 5},
        {"models": []},
        {"models": "ab"},
        {"models": {"a": {"id": "a"}}},
        {"models": [*BROKEN_ROWS]},
        {"models": [{"id": "a"}], "created": "early"},
        {"models": [{"id": "a"}], "created": None},
        {"models": [{"id": "a"}], "created": float("inf")},
        {"models": Rows([b"[", b"{"])},
    ],
)
def test_what_is_no_list_of_models_is_refused(document: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"list of models"):
        ModelList(document)


def test_a_model_without_a_time_has_the_lists() -> None:
    rows = [{"id": "a"}, {"id": "b", "created": 9}]
    times = [[model.created for model in ModelList({"models": rows, **head}).models()] for head in ({}, {"created": 7})]
    assert times == [[0, 9], [7, 9]]


def test_the_embedded_list_is_a_list_like_any() -> None:
    models: Sequence[Model] = embedded().models()
    assert len(models) > 10
    assert embedded().find("gpt4_o") in models


def test_old_codenames_are_known_without_a_list() -> None:
    assert (bot_by_codename("GPT4_o"), bot_by_codename("nobody")) == ("GPT-4o", None)
