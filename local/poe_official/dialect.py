"""What the endpoints that answer in text have in common."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.responses import JSONResponse

from local.poe_official.bots import Answer, Question
from local.poe_official.catalogue import Model
from local.poe_official.frames import Frame
from local.poe_official.limits import Ending

Json = dict[str, Any]
Store = Callable[[str, str, bytes], str]


class Refused(Exception):
    """A request that the API refuses, in the documented shape."""

    def __init__(self, status: int, kind: str, code: int | str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.code, self.message, self.param = status, kind, code, message, param

    def response(self) -> JSONResponse:
        """The body and the status."""
        error: Json = {"message": self.message, "type": self.kind, "code": self.code}
        if self.param is not None:
            error["param"] = self.param
        return JSONResponse({"error": error}, self.status)


def bad_request(message: str, param: str | None = None, code: str | None = None) -> Refused:
    """A 400."""
    return Refused(400, "invalid_request_error", code or 400, message, param)


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer with the numbers around it."""

    model: Model
    question: Question
    answer: Answer
    ending: Ending = Ending.DONE
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def prompt_tokens(self) -> int:
        """Words of all turns and three."""
        return sum(len(turn.text.split()) for turn in self.question.turns) + 3

    @property
    def completion_tokens(self) -> int:
        """Words of the answer, of its reasoning and of its calls."""
        calls = " ".join(arguments for _, arguments in self.answer.calls)
        return len(f"{self.answer.text} {self.answer.reasoning} {calls}".split())

    @property
    def reasoning_tokens(self) -> int:
        """Words of the reasoning."""
        return len(self.answer.reasoning.split())


class Dialect(Protocol):
    """One endpoint's way to ask and to answer."""

    endpoint: str

    def model_name(self, body: Json) -> str:
        """Whom the body asks."""

    def question(self, body: Json, model: Model, store: Store) -> Question:
        """What the body asks. Raises `Refused`."""

    def streams(self, body: Json) -> bool:
        """Whether the body wants a stream."""

    def frames(self, completion: Completion, body: Json, /) -> list[Frame]:
        """The streamed answer."""

    def whole(self, completion: Completion, /) -> Json:
        """The answer in one piece."""

    def error(self, kind: str, code: int | str | None, message: str) -> Frame:
        """An error in mid-stream."""


class NamedInBody:
    """What the dialects share whose body says whom it asks and whether to stream."""

    def model_name(self, body: Json) -> str:
        """The `model`."""
        return str(body.get("model", ""))

    def streams(self, body: Json) -> bool:
        """The `stream` field."""
        return body.get("stream") is True


def read_limit(body: Mapping[str, Any], name: str) -> int | None:
    """The limit of tokens under that name."""
    limit = body.get(name)
    if limit is None:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise bad_request(f"{name} must be a positive integer", name)
    return limit


def check_parameters(body: Mapping[str, Any], known: frozenset[str], model: Model) -> dict[str, Any]:
    """The parameters among the fields; refuses those that the endpoint does not know and the model does not declare."""
    given = {name: value for name, value in body.items() if name not in known}
    for name, value in given.items():
        schema = model.parameters.get(name)
        if schema is None:
            raise bad_request(f"Unsupported parameter: '{name}' is not supported with this model.", name)
        if "enum" in schema and value not in schema["enum"]:
            raise bad_request(f"Unsupported value: {value!r} is not supported with this model.", name)
    return given
