"""What the simulated endpoints that answer in text share."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.responses import JSONResponse

from local.poe_official.bots import Answer, Question
from local.poe_official.charges import Consumed
from local.poe_official.frames import Frame
from local.poe_official.limits import Ending
from local.poe_official.model import Model

Json = dict[str, Any]
Store = Callable[[str, str, bytes], str]


class Refused(Exception):
    """A request that the API refuses. The body has a code and a field only where they are given: most recorded ones
    have neither."""

    def __init__(
        self,
        status: int,
        kind: str,
        code: int | str | None,
        message: str,
        param: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.code, self.message, self.param = status, kind, code, message, param
        self.retry_after = retry_after

    def response(self) -> JSONResponse:
        """The body and the status."""
        headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after:g}"}
        return JSONResponse(
            {"error": error_object(self.message, self.kind, self.code, self.param)}, self.status, headers
        )


def error_object(message: str, kind: str, code: int | str | None, param: str | None = None) -> Json:
    """An `error` without the fields that are not known."""
    error: Json = {"message": message, "type": kind}
    error |= {"param": param} if param is not None else {}
    return error | ({"code": code} if code is not None else {})


def bad_request(message: str, param: str | None = None, code: str | None = None) -> Refused:
    """A 400."""
    return Refused(400, "invalid_request_error", code, message, param)


def without_tools(model: Model) -> Refused:
    """Poe's own refusal of tools, which does have a code and a field (recorded)."""
    message = f"Model {model.id} does not support tool calling."
    message += " Use a tool-capable model or remove tools from the request."
    return bad_request(message, "model", "unsupported_feature_for_model")


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer with the numbers around it."""

    model: Model
    asked_as: str
    """The name that was asked for."""
    question: Question
    answer: Answer
    ending: Ending = Ending.DONE
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def prompt_tokens(self) -> int:
        """Words of all turns and three."""
        return self.question.words + 3

    @property
    def cached_tokens(self) -> int:
        """Those of the prompt that come from the cache: half of it, where the question marks what to keep."""
        return self.prompt_tokens // 2 if self.question.marks_cache else 0

    @property
    def completion_tokens(self) -> int:
        """Words of the answer, of its reasoning and of its calls."""
        calls = " ".join(arguments for _, arguments in self.answer.calls)
        return len(f"{self.answer.text} {self.answer.reasoning} {calls}".split())

    @property
    def reasoning_tokens(self) -> int:
        """Words of the reasoning."""
        return len(self.answer.reasoning.split())

    def consumed(self, share: float = 1.0) -> Consumed:
        """What is charged for, when that share of the answer was made."""
        made = math.ceil(self.completion_tokens * share)
        return Consumed(self.prompt_tokens, made, self.cached_tokens)


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
        raise bad_request(f"{name} must be a positive integer")
    return limit
