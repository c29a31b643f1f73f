"""Chunks as pydantic models, which is how FastAPI applications usually make them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Delta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None


class Choice(BaseModel):
    index: int = 0
    delta: Delta
    finish_reason: str | None = None


class Chunk(BaseModel):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[Choice]

    def event(self) -> str:
        """As a server-sent event."""
        return f"data: {self.model_dump_json(exclude_none=True)}\n\n"


class Turn(BaseModel):
    role: str
    content: str


class ChatBody(BaseModel):
    model: str
    messages: list[Turn]
    stream: bool = True
