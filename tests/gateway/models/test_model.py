"""How a row of a list becomes a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.models.model import Model, read_model, row_names

FULL: dict[str, Any] = {
    "id": "Painter",
    "bot": "painter_2",
    "aliases": ["The Painter", "Brush", "Brush"],
    "owned_by": "somebody",
    "created": 1_750_000_000,
    "description": "Paints.",
    "input_modalities": ["text", "image"],
    "output_modalities": ["image"],
    "features": ["tools"],
    "context_length": 4000,
    "max_output_tokens": 100,
    "pricing": {"request": "0.3", "prompt": None},
    "points_per_message": 300,
    "reasoning": {"required": False},
    "parameters": [{"name": "aspect", "schema": {"enum": ["1:1"]}, "default_value": None}],
    "upstream_endpoints": ["/v1/images"],
    "kinds": ["official"],
}


def test_a_row_says_all_there_is_to_know() -> None:
    assert read_model(FULL, 5) == Model(
        id="Painter",
        bot="painter_2",
        owned_by="somebody",
        created=1_750_000_000,
        aliases=("The Painter", "Brush"),
        description="Paints.",
        input_modalities=("text", "image"),
        output_modalities=("image",),
        features=("tools",),
        context_length=4000,
        max_output_tokens=100,
        pricing={"request": "0.3", "prompt": None},
        points_per_message=300,
        reasoning={"required": False},
        parameters=({"name": "aspect", "schema": {"enum": ["1:1"]}, "default_value": None},),
        upstream_endpoints=("/v1/images",),
        kinds=("official",),
    )


def test_a_row_may_leave_out_all_but_its_id() -> None:
    for row in ({"id": "a"}, {"id": "a"} | dict.fromkeys(FULL.keys() - {"id"})):
        assert read_model(row, 5) == Model(id="a", bot="a", created=5)


def test_a_codename_is_one_alias_more() -> None:
    assert read_model(FULL, 5, "dalle3").aliases == ("The Painter", "Brush", "dalle3")
    assert read_model(FULL, 5, "Brush").aliases == ("The Painter", "Brush")


def test_a_length_of_nought_is_unknown_and_the_original_gateways_name_for_it_counts() -> None:
    assert read_model({"id": "a", "context_length": 0}, 5).context_length is None
    assert read_model({"id": "a", "context_length": 0, "tokens": 9}, 5).tokens == 9


OBJECTS, TEXTS = ({}, {"a": 1}), ([],)
FITTING: dict[str, tuple[Any, ...]] = {
    "description": ("text",),
    "pricing": OBJECTS,
    "reasoning": OBJECTS,
    **dict.fromkeys(("input_modalities", "output_modalities", "features", "parameters", "kinds"), TEXTS),
}


@pytest.mark.parametrize("value", [5.5, "text", True, [], {}, [5], ["a", 5], [[]], {"a": 1}])
@pytest.mark.parametrize("field", sorted(FULL.keys() - {"id", "bot", "owned_by"}))
def test_a_field_of_an_unexpected_type_was_not_said(field: str, value: Any) -> None:
    """One odd field takes away neither the model nor an answer."""
    found = read_model({"id": "a", field: value}, 5)
    plain = Model(id="a", bot="a", created=5)
    if value in FITTING.get(field, ()) and value is not True:
        kept = tuple(value) if isinstance(value, list) else value
        assert found == replace(plain, **{field: kept})
    else:
        assert found == plain


@pytest.mark.parametrize("row", [None, 5, "a", [], ["id"], {}, {"name": "a"}])
def test_what_is_no_row_is_none(row: Any) -> None:
    for read in (lambda: read_model(row, 5), lambda: row_names(row)):
        with pytest.raises((AttributeError, KeyError, TypeError)):
            read()


def test_the_names_of_a_row() -> None:
    assert row_names(FULL) == ["Painter", "The Painter", "Brush", "Brush"]
    for aliases in (None, [], "abc", [5], {}):
        assert row_names({"id": "a", "aliases": aliases}) == ["a"]


def test_a_model_is_shown_with_all_that_is_known_of_it() -> None:
    shown = read_model(FULL, 5).to_openai()
    same = FULL.keys() - {"bot", "aliases", "upstream_endpoints"}
    assert {name: shown.pop(name) for name in same} == {name: FULL[name] for name in same}
    assert shown == {
        "object": "model",
        "tokens": 4000,
        "aliases": ["The Painter", "Brush"],
        "endpoints": ["/v1/chat/completions", "/v1/images/generations", "/v1/images/edits"],
    }


def test_an_alias_is_shown_with_what_it_stands_for() -> None:
    shown = replace(read_model({"id": "a"}, 5), id="best", alias_of="a", fallbacks=("b", "c")).to_openai()
    assert (shown["id"], shown["alias_of"], shown["fallbacks"]) == ("best", "a", ["b", "c"])
    assert not {"alias_of", "fallbacks"} & read_model({"id": "a"}, 5).to_openai().keys()


def test_a_parameter_is_found_by_its_name() -> None:
    model = read_model(FULL, 5)
    assert model.declared("aspect") == FULL["parameters"][0]
    assert model.declared("size") is None
    assert read_model({"id": "a"}, 5).declared("aspect") is None
