"""Read fields of a JSON object, one by one, with errors that name the field.

A few lines here instead of a schema library on the path of every request: nothing is built at a cold start, unknown
fields cost nothing, and a message says what OpenAI's would say. `null` counts as absent, as in OpenAI's API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.http.errors import GatewayError, invalid


class Fields:
    """The fields of one JSON object. `path` is where the object stands in the body, for errors' `param`.

    What reads a field gives `None` (or the default) if it is absent, and raises `GatewayError` (400, naming the field)
    if it is not what is asked for.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self.values = values
        self._path = path

    def param(self, name: str) -> str:
        """The field's name as an error shows it."""
        return f"{self._path}.{name}" if self._path else name

    def wrong(self, name: str, expected: str) -> GatewayError:
        """The error for a field that is not what it must be."""
        return invalid(f"'{self.param(name)}' must be {expected}.", param=self.param(name), code="invalid_type")

    def missing(self, name: str) -> GatewayError:
        """The error for a field that must be there."""
        message = f"Missing required parameter: '{self.param(name)}'."
        return invalid(message, param=self.param(name), code="missing_required_parameter")

    def get(self, name: str) -> Any:
        """The value as it is; `None` if absent. Raises nothing."""
        return self.values.get(name)

    def text(self, name: str, *, max_length: int | None = None) -> str | None:
        """A string, which may be empty."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.wrong(name, "a string")
        if max_length is not None and len(value) > max_length:
            raise self.wrong(name, f"at most {max_length} characters long")
        return value

    def required_text(self, name: str, *, max_length: int | None = None) -> str:
        """A string with something in it that is no white space; absent is an error, too."""
        value = self.text(name, max_length=max_length)
        if value is None:
            raise self.missing(name)
        if not value.strip():
            raise self.wrong(name, "a string that is not empty")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false, and nothing that only counts as such."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def integer(self, name: str, *, lowest: int, highest: int | None = None) -> int | None:
        """A whole number within limits, both included."""
        value = self.values.get(name)
        if value is None:
            return None
        # 5.0 is an integer in JSON; True is none although Python says so.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, "an integer")
        if value < lowest or (highest is not None and value > highest):
            limits = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
            raise invalid(f"'{self.param(name)}' must be {limits}.", param=self.param(name), code="out_of_range")
        return value

    def number(self, name: str, *, lowest: float, highest: float) -> float | None:
        """A number within limits, both included."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(name, "a number")
        if not lowest <= value <= highest:
            message = f"'{self.param(name)}' must be from {lowest:g} to {highest:g}."
            raise invalid(message, param=self.param(name), code="out_of_range")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """One of the given words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise invalid(
                f"'{self.param(name)}' must be one of: {', '.join(allowed)}.",
                param=self.param(name),
                code="invalid_value",
            )
        return value

    def mapping(self, name: str) -> Fields | None:
        """The fields of an object."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return Fields(value, self.param(name))

    def items(self, name: str, *, max_items: int | None = None) -> list[Any] | None:
        """The items of an array, whatever they are."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.wrong(name, "an array")
        if max_items is not None and len(value) > max_items:
            raise self.wrong(name, f"an array of at most {max_items} items")
        return value

    def objects(self, name: str, *, max_items: int | None = None) -> list[Fields] | None:
        """The objects of an array."""
        values = self.items(name, max_items=max_items)
        if values is None:
            return None
        return [self._object(name, index, value) for index, value in enumerate(values)]

    def _object(self, name: str, index: int, value: Any) -> Fields:
        if not isinstance(value, dict):
            raise self.wrong(f"{name}[{index}]", "an object")
        return Fields(value, self.param(f"{name}[{index}]"))
