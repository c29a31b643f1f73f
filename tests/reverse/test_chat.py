"""What a caller hands to a client, and what a client reads, is not shown where a value is only named."""

from __future__ import annotations

from reverse.chat import Attachment, ChatRequest, Message, ToolCall
from reverse.official.sse import ServerSentEvent
from reverse.web._protocol import TitleChanged


def test_a_request_shows_no_word_of_the_conversation() -> None:
    attachment = Attachment("a.png", "image/png", b"private", "https://files.example.com/a?signature=private")
    message = Message("user", "private", (attachment,), (ToolCall("call_1", "look_up", '{"a": "private"}'),))
    request = ChatRequest("Echo", [message], parameters={"a": "private"}, tools=[{"a": "private"}], stop=["private"])
    assert "private" not in repr(request) + repr(message) + repr(attachment) + repr(message.tool_calls)
    assert "Echo" in repr(request)


def test_what_comes_from_poe_shows_no_word_of_the_answer() -> None:
    assert "private" not in repr(ServerSentEvent("private")) + repr(TitleChanged(1, "private"))
