"""What an answer in plain text means where more than text was asked for: tool calls, or JSON. Pure.

An `AnswerReader` takes the events of an answer and gives those that callers see. At the end it says whether the answer
can be used, or what the model should be told to correct; after the corrected answer it says so for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.prompt.model_json import ValueScanner
from gateway.prompt.request import GenerationRequest
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.tool_protocol import ToolCallParser, ToolProtocol
from gateway.prompt.tool_specs import ToolSpecs
from lazy_dataclasses import dataclass
from reverse.events import Event, FinishReason, RefusalDelta, TextDelta, TextReplaced, ToolCallDelta


@dataclass(frozen=True, slots=True)
class Correction:
    """What to tell the model."""

    text: str
    answer: str = ""
    """What it had answered, for a model that does not remember."""
    rule: str = ""
    """What it should have kept to, for the same."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What to tell the caller."""

    message: str
    code: str


class AnswerReader:
    """Passes everything on: the reader of an answer of which nothing special is asked."""

    protocol: ToolProtocol | None = None
    correction: Correction | None = None
    """Set by the first `finish`, if the answer can't be used. Feed the corrected one then, and `finish` again."""
    failure: Failure | None = None
    """Set by the last `finish`, if the answer can't be used."""

    def feed(self, event: Event) -> list[Event]:
        """Take one event of the answer, its end excluded."""
        return [event]

    def finish(self, reason: FinishReason) -> list[Event]:  # noqa: ARG002 - the others need it
        """The answer is over."""
        return []

    def reason(self, reason: FinishReason) -> FinishReason:
        """Why the answer ended, as callers see it."""
        return reason


def native_reader(request: GenerationRequest, *, knows_format: bool = True) -> AnswerReader:
    """The reader for a model that is told of tools natively, and of the format if its endpoint knows formats."""
    if request.response_format is None:
        return AnswerReader()
    # With a format that the upstream enforces, the answer can be shown as it comes; one made from words waits for the
    # check.
    is_passed_on = knows_format and request.is_streamed
    return JSONStreamReader(request.response_format) if is_passed_on else JSONReader(request.response_format)


def worded_reader(request: GenerationRequest) -> AnswerReader:
    """The reader for what a model is asked in words."""
    protocol = request.web_protocol()
    if protocol is not None:
        # Both in one: an answer may be calls or the JSON, and only its text tells which.
        return ToolCallReader(protocol, request.response_format)
    return AnswerReader() if request.response_format is None else JSONReader(request.response_format)


_NO_CALL = Failure("The model did not call a tool as it had to.", "tool_call_missing")
_NOT_THE_JSON = Failure("The model did not answer with the JSON asked for.", "invalid_structured_output")


class JSONReader(AnswerReader):
    """Holds the text back until it is known to be the JSON that was asked for."""

    def __init__(self, response_format: ResponseFormat) -> None:
        self._format = response_format
        self._texts: list[str] = []
        # A model that declines in so many words has answered: OpenAI's clients look for that before they read JSON.
        self._is_refused = False
        self._is_second = False

    def feed(self, event: Event) -> list[Event]:
        match event:
            case RefusalDelta():
                self._is_refused = True
                return [event]
            case TextDelta(text):
                self._texts.append(text)
            # What was collected belongs to the text that is gone.
            case TextReplaced(text):
                self._texts = [text]
            case _:
                return [event]
        return []

    def finish(self, reason: FinishReason) -> list[Event]:
        text, self._texts = "".join(self._texts), []
        self.failure = None
        if reason is not FinishReason.STOP or self._is_refused:
            # Cut short: callers learn it from the finish reason, and get what there is.
            return [TextDelta(text)] if text else []
        found, problem = self._format.read(text)
        is_second, self._is_second = self._is_second, True
        if found is not None:
            return [TextDelta(found)]
        if not is_second:
            told = self._format.correction(problem or "it is not valid")
            self.correction = Correction(told, text, self._format.instructions())
        self.failure = _NOT_THE_JSON
        return []


class JSONStreamReader(JSONReader):
    """Passes a JSON object on as it comes: for models that were asked for one natively, on a stream.

    What follows it is left out. An answer that begins with anything else is held back, and corrected if need be;
    one that began well can't be corrected any more, so that it is an error if it does not fit in the end.
    """

    def __init__(self, response_format: ResponseFormat) -> None:
        super().__init__(response_format)
        self._shown: list[str] = []
        # Whether the answer begins as an object; `None` before its first character.
        self._is_passed_on: bool | None = None
        self._end = ValueScanner()

    def feed(self, event: Event) -> list[Event]:
        others = super().feed(event)
        if (
            not isinstance(event, TextDelta)
            or isinstance(event, RefusalDelta)
            or self._is_passed_on is False
            or self._end.is_complete
            # What follows a complete object, or one that is too deep to be read, is not shown.
            or self._end.is_too_deep
        ):
            return others
        text = event.text if self._shown else event.text.lstrip()
        if text and self._is_passed_on is None:
            # An array or a word of prose at the start shows that it is not the object, while all of it can still be
            # corrected.
            self._is_passed_on = text[0] == "{"
        if not text or not self._is_passed_on:
            return []
        text = text[: self._end.scan(text)]
        self._shown.append(text)
        return [TextDelta(text)]

    def finish(self, reason: FinishReason) -> list[Event]:
        if not self._shown:
            self._is_passed_on = None
            return super().finish(reason)
        shown, self._texts = "".join(self._shown), []
        # Compared with what was shown, which can't be taken back: a second value behind it must not decide.
        fits = reason is not FinishReason.STOP or self._is_refused or self._format.read(shown)[0] == shown
        self.failure = None if fits else _NOT_THE_JSON
        return []


class ToolCallReader(AnswerReader):
    """Finds tool calls in the text. Text of an answer that must hold calls is kept back: only calls were asked for."""

    def __init__(self, protocol: ToolProtocol, response_format: ResponseFormat | None = None) -> None:
        self.protocol: ToolProtocol = protocol
        self._parser = ToolCallParser(protocol)
        # Text passed to the parser, to be compared with what replaces it.
        self._fed: list[str] = []
        self._fed_chars = 0
        self._is_second = False
        self._must_call = protocol.specs.must_call
        # Where an answer without calls must be JSON, its text waits for the decision.
        self._json = JSONReader(response_format) if response_format else None

    def feed(self, event: Event) -> list[Event]:
        match event:
            case TextDelta(text):
                self._fed.append(text)
                self._fed_chars += len(text)
                return self._shown(self._parser.feed(text))
            case TextReplaced(text):
                return self._replace(text)
        return [event]

    def finish(self, reason: FinishReason) -> list[Event]:
        events = self._shown(self._parser.finish())
        parser, is_second = self._parser, self._is_second
        self._is_second = True
        self.failure = None
        if parser.kept_back:
            return events + self._settle(is_second)
        # An answer that was cut may have been on its way to a call; its finish reason tells the caller.
        if not parser.emitted and self._must_call and reason is FinishReason.STOP:
            self.failure = _NO_CALL
            if not is_second:
                self._ask_again("no tool was called")
            return events
        self.correction = None
        if self._json is None or parser.emitted:
            return events
        return events + self._finish_json(self._json, reason)

    def reason(self, reason: FinishReason) -> FinishReason:
        return FinishReason.TOOL_CALLS if self._parser.emitted and reason is FinishReason.STOP else reason

    def _settle(self, is_second: bool) -> list[Event]:
        """Calls that do not fit: ask once more. After that, calls that could be made are made as they were written.

        That is what callers of OpenAI's API without `strict` are used to: they check the arguments, and tell the model.
        """
        parser = self._parser
        if not is_second:
            self.failure = Failure("The model's tool calls could not be understood.", "invalid_tool_call")
            self._ask_again(parser.problem or "they are not valid")
            return []
        self.correction = None
        # A tool with `strict` promises that its arguments fit, so they are not passed on if they do not.
        strict = self.protocol.reader.strict
        if any(not call.is_known or (call.problem and call.name in strict) for call in parser.kept_back):
            self.failure = Failure("The model's tool calls could not be understood.", "invalid_tool_call")
            return []
        return [event for call in parser.kept_back for event in parser.tell(call)]

    def _ask_again(self, problem: str) -> None:
        self.correction = Correction(self.protocol.correction(problem))
        self._parser = ToolCallParser(self.protocol, emitted=self._parser.emitted)
        self._forget()

    def _finish_json(self, json_reader: JSONReader, reason: FinishReason) -> list[Event]:
        events = json_reader.finish(reason)
        self.correction, self.failure = json_reader.correction, json_reader.failure
        if self.correction is not None:
            self._parser = ToolCallParser(self.protocol)
            self._forget()
        return events

    def _forget(self) -> None:
        self._fed, self._fed_chars = [], 0

    def _replace(self, text: str) -> list[Event]:
        """Text that goes on is read on; text that is another one is read from its beginning.

        Calls that were told stay, and are not told again; the words before them stay, too.
        """
        # What is shorter is another text: it is not compared, so that many short ones cost no more than they are long.
        fed = "".join(self._fed) if len(text) >= self._fed_chars else None
        self._fed, self._fed_chars = [text], len(text)
        if fed is not None and text.startswith(fed):
            return self._shown(self._parser.feed(text[len(fed) :]))
        # Callers may be running these calls by now.
        if self._parser.emitted:
            self._parser = ToolCallParser(self.protocol, emitted=self._parser.emitted)
            return self._shown(self._parser.feed(text))
        # Read before the parser is replaced: only words that were shown have to be taken back.
        had_text = self._parser.has_text
        self._parser = ToolCallParser(self.protocol)
        if self._json is not None:
            self._json.feed(TextReplaced(""))
        events = self._shown(self._parser.feed(text))
        if not had_text or self._must_call or self._json is not None:
            return events
        said = "".join(event.text for event in events if isinstance(event, TextDelta))
        return [TextReplaced(said), *(event for event in events if not isinstance(event, TextDelta))]

    def _shown(self, events: list[Event]) -> list[Event]:
        """What of the parser's events is passed on now."""
        if self._json is not None:
            for event in events:
                if isinstance(event, TextDelta):
                    self._json.feed(event)
        # The corrected answer is wanted for its calls; its apologies would follow the text of the first one.
        elif not self._must_call and not self._is_second:
            return events
        return [event for event in events if not isinstance(event, TextDelta)]


class RequiredCallReader(AnswerReader):
    """The reader for a model that is told of tools natively, and had to call one.

    Holds text back until a call comes that was asked for; calls of other tools than a named one are left out. Not every
    endpoint of Poe's official API passes `tool_choice` on, and not every model keeps to it.
    """

    def __init__(self, specs: ToolSpecs) -> None:
        self._named: str | None = specs.choice["function"]["name"] if isinstance(specs.choice, Mapping) else None
        self._held: list[str] = []
        # Our numbers of the calls that are passed on, by the upstream's.
        self._renumbered: dict[int, int] = {}
        # A model that declines in so many words has answered.
        self._is_refused = False
        self._is_second = False

    def feed(self, event: Event) -> list[Event]:
        match event:
            case RefusalDelta():
                self._is_refused = True
            case ToolCallDelta():
                return self._call(event)
            case TextDelta(text) if not self._renumbered:
                # Words before a call are passed on with it; without a call they are not what was asked for.
                self._held.append(text)
                return []
            case TextReplaced(text) if not self._renumbered:
                self._held = [text]
                return []
        return [event]

    def finish(self, reason: FinishReason) -> list[Event]:
        is_second, self._is_second = self._is_second, True
        self.correction = self.failure = None
        is_whole = reason in (FinishReason.STOP, FinishReason.TOOL_CALLS)
        if self._renumbered or self._is_refused or not is_whole:
            # Cut short: callers learn it from the finish reason, and get what there is.
            return self._release()
        if not is_second:
            tool = f"the tool {self._named}" if self._named else "at least one of the tools"
            told = f"Your answer can't be used: no tool was called as asked. Call {tool} now."
            self.correction = Correction(told, answer="".join(self._held))
        self._held = []
        self.failure = _NO_CALL
        return []

    def reason(self, reason: FinishReason) -> FinishReason:
        return FinishReason.TOOL_CALLS if self._renumbered and reason is FinishReason.STOP else reason

    def _call(self, event: ToolCallDelta) -> list[Event]:
        if event.index not in self._renumbered:
            # Its later pieces are left out as well: their index is not in the table.
            if self._named is not None and event.name != self._named:
                return []
            # Callers expect indexes from 0 without gaps.
            self._renumbered[event.index] = len(self._renumbered)
        return [*self._release(), replace(event, index=self._renumbered[event.index])]

    def _release(self) -> list[Event]:
        text, self._held = "".join(self._held), []
        return [TextDelta(text)] if text else []
