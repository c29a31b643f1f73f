"""Sizes and shapes: the original gateway's table, and what declared options change."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.http.errors import GatewayError
from gateway.models.model import Model
from gateway.surfaces.media.image_request import ImageWishes
from gateway.surfaces.media.images import resolve_wishes


def declaring(**schemas: Any) -> Model:
    parameters = tuple({"name": name, "schema": schema} for name, schema in schemas.items())
    return Model(id="m", bot="m", parameters=parameters)


@pytest.mark.parametrize(
    ("bot", "wishes", "expected"),
    [
        ("dall-e-3", {"size": "1792x1024"}, {"aspect": "7:4"}),
        ("dall-e-3", {"size": "1536x1024"}, {"aspect": "3:2"}),
        ("dall-e-3", {"size": "1024x1024"}, {}),
        ("dall-e-3", {"size": "auto"}, {}),
        ("dall-e-3", {"size": "default"}, {}),
        ("dall-e-3", {}, {}),
        ("dall-e-3", {"size": "16:9"}, {"aspect": "16:9"}),
        ("dall-e-3", {"size": "--aspect 16:9"}, {"aspect": "16:9"}),
        ("dall-e-3", {"size": "--ar 3:2"}, {"aspect": "3:2"}),
        ("dall-e-3", {"size": "512x512", "aspect_ratio": "4:3"}, {"aspect": "4:3"}),
        ("dall-e-3", {"size": "1536x1024", "parameters": {"aspect_ratio": "1:1"}}, {"aspect_ratio": "1:1"}),
        ("nano-banana-2", {"size": "2k"}, {"image_size": "2K"}),
        ("Nano-Banana-2", {"image_size": "4K"}, {"image_size": "4K"}),
        ("nano-banana-2", {"image_size": "none"}, {}),
        ("nano-banana-2", {"image_size": "1k", "size": "1536x1024"}, {"image_size": "1K", "aspect_ratio": "3:2"}),
        ("nano-banana", {"aspect_ratio": "21:9"}, {"aspect_ratio": "7:3"}),
        ("anything", {"parameters": {"seed": 7}}, {"seed": 7}),
    ],
)
def test_the_originals_table(bot: str, wishes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert resolve_wishes(ImageWishes(**wishes), bot, None) == (expected, ())


@pytest.mark.parametrize(
    ("bot", "wishes", "param"),
    [
        ("dall-e-3", {"size": "big"}, "size"),
        ("dall-e-3", {"size": "0x100"}, "size"),
        ("dall-e-3", {"size": "999999x1"}, "size"),
        ("dall-e-3", {"aspect_ratio": "wide"}, "aspect_ratio"),
        ("dall-e-3", {"image_size": "2k"}, "image_size"),
        ("nano-banana-2", {"image_size": "8k"}, "image_size"),
    ],
)
def test_what_is_no_size_is_refused(bot: str, wishes: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        resolve_wishes(ImageWishes(**wishes), bot, None)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_a_declared_option_decides() -> None:
    model = declaring(aspect={"enum": ["1:1", "16:9"]}, quality={"enum": ["low", "high"]})
    wishes = ImageWishes(size="1792x1024", others={"quality": "high", "style": "vivid", "background": "auto"})
    assert resolve_wishes(wishes, "x", model) == ({"aspect": "16:9", "quality": "high"}, ("style",))
    with pytest.raises(GatewayError) as caught:
        resolve_wishes(ImageWishes(size="1024x1536"), "x", model)
    assert "1:1, 16:9" in caught.value.message


def test_a_declared_size_is_passed_on_as_it_is() -> None:
    model = declaring(size={"enum": ["1024x1536"]}, aspect={})
    assert resolve_wishes(ImageWishes(size="1024x1536"), "x", model) == ({"size": "1024x1536"}, ())
    assert resolve_wishes(ImageWishes(size="1536x1024"), "x", model) == ({"aspect": "3:2"}, ())


def test_declared_resolutions_are_the_table() -> None:
    model = declaring(image_size={"enum": ["512", "8K"]})
    assert resolve_wishes(ImageWishes(size="8k"), "x", model) == ({"image_size": "8K"}, ())


def test_a_model_without_the_option_is_not_told_and_the_caller_is() -> None:
    assert resolve_wishes(ImageWishes(size="1536x1024"), "x", declaring()) == ({}, ("size",))
    with pytest.raises(GatewayError):
        resolve_wishes(ImageWishes(size="nonsense"), "x", declaring())


@pytest.mark.parametrize("value", [{}, [], 0, False])
def test_a_field_of_a_strange_type_is_reported_as_ignored(value: Any) -> None:
    assert resolve_wishes(ImageWishes(others={"quality": value}), "m", None) == ({}, ("quality",))
