"""The protocol module and the folding of updates, without I/O: example cases and properties."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse.errors import ErrorCode, PoeError
from reverse.events import (
    ChatStarted,
    FileAttached,
    FinishReason,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    UsageReported,
)
from reverse.web import _protocol
from reverse.web._decoder import WebAnswerDecoder
from reverse.web._mailbox import Mailbox
from reverse.web._protocol import (
    AnswerCancelled,
    Control,
    CostReported,
    Frame,
    MessageUpdate,
    TitleChanged,
    clean,
    global_id,
    number_of,
    parse_frame,
    parse_message,
)

# `make test` runs few examples; PROTOCOL_EXAMPLES=100000 is for a long look once in a while.
EXAMPLES = settings(max_examples=int(os.environ.get("PROTOCOL_EXAMPLES", "100")), deadline=None)
CHAT = 1000
HUMAN, BOT = 500000, 500001
QUESTION = "hi there"


def event(name: str, data: object, chat_id: object = CHAT) -> str:
    payload = {"subscription_name": name, "unique_id": f"{name}:{chat_id}", "data": {name: data}}
    return json.dumps({"message_type": "subscriptionUpdate", "payload": payload})


def frame(*events: str, min_seq: int | None = 4800000002) -> str:
    return json.dumps({"messages": list(events), "min_seq": min_seq})


def message(text: str, state: str = "incomplete", **fields: object) -> dict[str, object]:
    return {"messageId": BOT, "author": "gpt4_o", "text": text, "state": state, **fields}


def human(text: str = QUESTION, message_id: int = HUMAN) -> dict[str, object]:
    return {"messageId": message_id, "author": "human", "text": text, "state": "complete"}


def new_answer(**fields: object) -> WebAnswerDecoder:
    return WebAnswerDecoder(ChatStarted(CHAT, "code"), QUESTION, **{"after_message_id": HUMAN, **fields})


def fold(answer: WebAnswerDecoder, *frames: str) -> list[object]:
    return [seen for text in frames for update in parse_frame(text).updates for seen in answer.feed(update)]


def shown(events: list[object]) -> str:
    text = ""
    for seen in events:
        text = (
            text + seen.text if isinstance(seen, TextDelta) else seen.text if isinstance(seen, TextReplaced) else text
        )
    return text


class TestFrames:
    """What a frame says."""

    def test_a_batch_is_read_in_order_to_its_end(self):
        text = frame(
            event("messageAdded", human()),
            event("messageAdded", message("A")),
            event("jobUpdated", {"state": "started"}),
            event("chatTitleUpdated", {"id": "x", "title": "T"}),
            event("messageCancelled", {"messageId": BOT}),
            event("jobCostUpdated", {"totalCostPoints": 20, "trigger": {"message": {"chat": {"chatId": CHAT}}}}),
        )
        parsed = parse_frame(text)
        assert [type(update) for update in parsed.updates] == [
            MessageUpdate,
            MessageUpdate,
            TitleChanged,
            AnswerCancelled,
            CostReported,
        ]
        assert (parsed.min_seq, parsed.control) == (4800000002, None)

    @pytest.mark.parametrize(
        ("text", "control"),
        [
            ('{"type":"ping"}', Control.PING),
            ('{"type":"pong"}', None),
            ('{"error":"missed_messages"}', Control.REFETCH),
            (frame(json.dumps({"message_type": "refetchChannel"})), Control.REFETCH),
            ("{}", None),
            ('{"type":"hello"}', None),
        ],
    )
    def test_control_frames(self, text, control):
        assert parse_frame(text).control is control

    def test_what_stands_beside_a_refetch_is_kept(self):
        parsed = parse_frame(frame(json.dumps({"message_type": "refetchChannel"}), event("messageAdded", message("A"))))
        assert parsed.control is Control.REFETCH and len(parsed.updates) == 1

    @pytest.mark.parametrize("text", ["", "x", "[]", "7", "null", '"a"', "[" * 100_000, b"\xff\xfe", "1" * 5000])
    def test_what_is_no_object_is_a_protocol_error_without_its_text(self, text):
        with pytest.raises(PoeError) as caught:
            parse_frame(text)
        assert caught.value.code is ErrorCode.PROTOCOL
        assert caught.value.__cause__ is None or "object" in str(caught.value)

    @pytest.mark.parametrize(
        "broken",
        [
            "not json",
            "[]",
            "{}",
            event("messageAdded", None),
            event("messageAdded", {}),
            event("messageAdded", message("A"), chat_id="abc"),
            event("messageAdded", {"messageId": "x", "text": "A"}),
            event("messageAdded", {"messageId": BOT, "text": None}),
            event("messageAdded", {"messageId": True, "text": "A"}),
            event("chatTitleUpdated", {"title": 7}),
            event("jobCostUpdated", {"totalCostPoints": "many"}),
            event("jobCostUpdated", {"totalCostPoints": -1}),
            json.dumps({"message_type": "subscriptionUpdate", "payload": []}),
        ],
    )
    def test_an_element_without_sense_is_skipped_and_the_rest_kept(self, broken):
        parsed = parse_frame(frame(broken, event("messageAdded", message("A"))))
        assert [update.text for update in parsed.updates] == ["A"]

    def test_events_of_other_chats_are_not_looked_into(self, monkeypatch):
        looked_into: list[str] = []

        def decode(text: str | bytes) -> object:
            looked_into.append(str(text))
            return json.loads(text)

        monkeypatch.setattr(_protocol, "decode_json", decode)
        others = [event("messageAdded", message("elsewhere"), chat_id=n) for n in range(2000, 2100)]
        parsed = parse_frame(frame(*others, event("messageAdded", message("A"))), [CHAT])
        assert [update.text for update in parsed.updates] == ["A"] and parsed.min_seq == 4800000002
        assert len(looked_into) == 2

    @pytest.mark.parametrize("chat_ids", [[], [7], [7, CHAT]])
    def test_a_refetch_is_seen_whoever_listens(self, chat_ids):
        hidden = '{"message_type":"refetch\\u0043hannel"}'
        for element in (json.dumps({"message_type": "refetchChannel"}), hidden):
            assert parse_frame(frame(element), chat_ids).control is Control.REFETCH

    def test_an_escaped_chat_is_recognised(self):
        escaped = event("messageAdded", message("A")).replace(":1000", ":\\u00310\\u00300")
        assert [update.text for update in parse_frame(frame(escaped), [CHAT]).updates] == ["A"]

    def test_what_only_python_reads_as_json_is_read(self):
        """Half of a surrogate pair is the usual case: the server cuts by UTF-16 units."""
        text = '{"messages":[],"min_seq":5,"x":NaN,"y":"\\ud83d","z":' + "9" * 30 + "}"
        assert parse_frame(text) == parse_frame(text.encode()) == Frame(min_seq=5)

    def test_a_missing_state_is_not_an_end(self):
        (update,) = parse_frame(frame(event("messageAdded", {"messageId": BOT, "text": "A"}))).updates
        assert not update.is_terminal
        assert parse_message(CHAT, {"messageId": BOT, "text": "A"}, default_state="complete").is_terminal

    def test_half_a_surrogate_pair_never_leaves(self):
        assert clean("a\ud83d") == "a"
        assert clean("a\ud83db") == "a\N{REPLACEMENT CHARACTER}b"
        assert clean("\N{GRINNING FACE}") == "\N{GRINNING FACE}"

    def test_global_ids(self):
        assert global_id("Chat", 1000) == "Q2hhdDoxMDAw"
        assert number_of("Qm90OjMwMDE=") == 3001
        assert [number_of(odd) for odd in ("", "x", "Qm90", 7, None, "ÄÖ", "Qm90Ong=")] == [None] * 7

    def test_attachments_need_an_address(self):
        files = [{"url": "https://a/x.png", "name": "x.png"}, {"file": {"url": "javascript:1"}}, 7, {}]
        assert [file.url for file in parse_message(CHAT, message("A", attachments=files)).files] == ["https://a/x.png"]

    def test_text_is_not_in_the_repr(self):
        assert "secret" not in repr(parse_message(CHAT, message("secret", messageStateText="secret")))


class TestAnswers:
    """How updates become events."""

    def test_deltas_add_up(self):
        answer = new_answer()
        events = fold(answer, *(frame(event("messageAdded", message(text))) for text in ("He", "Hello", "Hello!")))
        assert events[0] == ChatStarted(CHAT, "code", None, BOT)
        assert events[1:] == [TextDelta("He"), TextDelta("llo"), TextDelta("!")]
        fold(answer, frame(event("messageAdded", message("Hello!", "complete"))))
        assert answer.reason is FinishReason.STOP

    def test_replaced_text_is_one_replacement(self):
        notes = ("Thinking... (1s elapsed)", "Thinking... (2s elapsed)", "Ans", "Answer")
        events = fold(new_answer(), *(frame(event("messageAdded", message(text))) for text in notes))
        assert events[1:] == [TextDelta(notes[0]), TextReplaced(notes[1]), TextReplaced("Ans"), TextDelta("wer")]

    def test_late_repeats_of_replaced_text_are_ignored(self):
        texts = ("Thinking", "Answer", "Thinking", "Ans", "Answer 42", "Answer", "")
        events = fold(new_answer(), *(frame(event("messageAdded", message(text))) for text in texts))
        assert events[1:] == [TextDelta("Thinking"), TextReplaced("Answer"), TextDelta(" 42")]

    def test_the_last_text_is_the_truth_even_if_shorter(self):
        answer = new_answer()
        events = fold(
            answer,
            frame(event("messageAdded", message("too much"))),
            frame(event("messageAdded", message("too", "complete"))),
            frame(event("messageAdded", message("too late", "incomplete"))),
        )
        assert shown(events) == answer.text == "too"

    def test_messages_of_others_are_not_the_answer(self):
        answer = new_answer()
        others = [
            human(),
            {"messageId": HUMAN - 1, "author": "gpt4_o", "text": "old", "state": "complete"},
            {"messageId": BOT + 5, "author": "chat_break", "text": "", "state": "complete"},
        ]
        assert fold(answer, *(frame(event("messageAdded", other)) for other in others)) == []
        assert not answer.has_started
        fold(answer, frame(event("messageAdded", message("mine"))))
        later = {"messageId": BOT + 9, "author": "gpt4_o", "text": "another turn", "state": "complete"}
        assert fold(answer, frame(event("messageAdded", later))) == [] and answer.reason is None

    def test_a_wrong_guess_is_corrected_when_the_question_turns_up(self):
        """The mutation named no message, and a replay shows an earlier answer first."""
        answer = new_answer(after_message_id=None)
        old = {"messageId": HUMAN - 1, "author": "gpt4_o", "text": "old answer", "state": "incomplete"}
        events = fold(
            answer,
            frame(event("messageAdded", old)),
            frame(event("messageAdded", human()), event("messageAdded", message("new", "complete"))),
        )
        assert shown(events) == "new" and answer.message_id == BOT

    def test_without_authors_the_question_is_known_by_its_text(self):
        answer = new_answer(after_message_id=None)
        events = fold(
            answer,
            frame(event("messageAdded", {**human(), "author": ""})),
            frame(event("messageAdded", {**message("mine", "complete"), "author": ""})),
        )
        assert shown(events) == "mine"

    def test_a_title_first_is_harmless_and_told_at_the_start(self):
        events = fold(
            new_answer(),
            frame(event("chatTitleUpdated", {"title": "Greeting"})),
            frame(event("messageAdded", message("A"))),
        )
        assert events == [ChatStarted(CHAT, "code", "Greeting", BOT), TextDelta("A")]

    @pytest.mark.parametrize(
        ("state", "code"),
        [
            ("error_user_message_too_long", ErrorCode.MESSAGE_TOO_LONG),
            ("error_insufficient_fund", ErrorCode.INSUFFICIENT_POINTS),
            ("error_reached_limit", ErrorCode.BOT_LIMIT_REACHED),
            ("error", ErrorCode.BOT_FAILED),
            ("error_brand_new", ErrorCode.BOT_FAILED),
        ],
    )
    def test_error_states_raise_at_once_with_poes_words_beside(self, state, code):
        answer = new_answer()
        with pytest.raises(PoeError) as caught:
            fold(answer, frame(event("messageAdded", message("", state, messageStateText="Buy points"))))
        assert (caught.value.code, caught.value.upstream_text) == (code, "Buy points")
        assert "Buy" not in str(caught.value) and answer.is_over

    def test_cancellation_ends_the_answer_but_not_that_of_another_turn(self):
        answer = new_answer()
        fold(answer, frame(event("messageCancelled", {"messageId": HUMAN - 1}), event("messageCancelled", {"x": 1})))
        assert answer.reason is None
        fold(answer, frame(event("messageAdded", message("A")), event("messageCancelled", {"messageId": BOT})))
        assert answer.reason is FinishReason.CANCELLED

    def test_files_once_each(self):
        file = {"url": "https://a/x.png", "name": "x", "file": {"url": "https://b/x.png", "mimeType": "image/png"}}
        events = fold(new_answer(), *[frame(event("messageAdded", message("A", attachments=[file])))] * 3)
        assert events[2:] == [FileAttached("https://b/x.png", "image/png", "x")]

    def test_replies_only_where_asked_for_and_each_once(self):
        def finals(n: int) -> str:
            return frame(event("messageAdded", message("A", "complete", followupActions=[{"bodyText": "More"}] * n)))

        assert fold(new_answer(suggest_replies=True), finals(0), finals(1), finals(2))[2:] == [SuggestedReply("More")]
        assert len(fold(new_answer(), finals(1))) == 2

    def test_a_file_behind_an_empty_end_is_still_told(self):
        answer = new_answer()
        assert fold(answer, frame(event("messageAdded", message("", "complete")))) == []
        assert answer.is_empty
        late = message("", "complete", attachments=[{"url": "https://a/x.png"}])
        assert fold(answer, frame(event("messageAdded", late))) == [
            ChatStarted(CHAT, "code", None, BOT),
            FileAttached("https://a/x.png"),
        ]

    def test_the_cost_of_the_turn_before_is_not_ours(self):
        answer = new_answer()
        cost = event("jobCostUpdated", {"totalCostPoints": 9, "trigger": {"message": {"chat": {"chatId": CHAT}}}})
        assert fold(answer, frame(cost)) == []
        assert fold(answer, frame(event("messageAdded", message("A")), cost))[-1] == UsageReported(points=9)

    def test_the_same_text_of_a_regenerated_message_is_not_its_new_answer(self):
        old = parse_message(CHAT, message("old", "complete"))
        answer = new_answer(regenerated=old)
        assert fold(answer, frame(event("messageAdded", message("old", "complete")))) == []
        assert (
            shown(fold(answer, frame(event("messageAdded", message("n")), event("messageAdded", message("new")))))
            == "new"
        )

    def test_an_answer_without_end_is_cut_off(self):
        with pytest.raises(PoeError) as caught:
            fold(new_answer(max_chars=10), frame(event("messageAdded", message("x" * 11))))
        assert caught.value.code is ErrorCode.PROTOCOL


# One answer as the server writes it: notes that replace each other, then a text that grows.
NOTES = st.lists(st.text(max_size=12), max_size=3)
GROWTH = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=12)


@st.composite
def deliveries(draw: st.DrawFn, *, reorder: bool) -> tuple[str, list[str]]:
    """A final text, and frames that bring it: batched, repeated, dropped, mixed with other events, and reordered."""
    growth = draw(GROWTH)
    texts = draw(NOTES) + ["".join(growth[: n + 1]) for n in range(len(growth))]
    events = [event("messageAdded", message(text)) for text in texts]
    events = [seen for seen in events for _ in range(draw(st.integers(0, 2)))]
    final = event("messageAdded", message(texts[-1], "complete"))
    noise = [
        event("messageAdded", human()),
        event("messageAdded", {"messageId": HUMAN - 1, "author": "gpt4_o", "text": "old", "state": "complete"}),
        event("messageAdded", {"messageId": BOT + 9, "author": "chat_break", "text": "", "state": "complete"}),
        event("messageAdded", message("elsewhere"), chat_id=77),
        event("chatTitleUpdated", {"title": "T"}),
        event("jobUpdated", {"state": "x"}),
        "not json",
    ]
    for extra in draw(st.lists(st.sampled_from(noise), max_size=5)):
        events.insert(draw(st.integers(0, len(events))), extra)
    events += [final] * draw(st.integers(1, 2))
    if reorder:
        events = draw(st.permutations(events))
    frames = []
    while events:
        size = draw(st.integers(1, 4))
        frames.append(frame(*events[:size]))
        events = events[size:]
    return texts[-1], frames


def consume(frames: list[str], *, through_mailbox: bool) -> tuple[WebAnswerDecoder, list[object]]:
    """Fold frames into an answer, directly or through a mailbox that its reader empties only at the end."""
    everything = [update for text in frames for update in parse_frame(text).updates]
    updates = [update for text in frames for update in parse_frame(text, [CHAT]).updates if update.chat_id == CHAT]
    # Leaving other chats' events out before they are parsed leaves nothing else out.
    assert updates == [update for update in everything if update.chat_id == CHAT]
    answer = new_answer()
    if through_mailbox:
        mailbox = Mailbox(CHAT)
        for update in updates:
            mailbox.put(update)
        updates = list(mailbox._updates)
    return answer, [seen for update in updates for seen in answer.feed(update)]


@EXAMPLES
@given(deliveries(reorder=False), st.booleans())
def test_any_batching_repetition_and_loss_gives_the_same_text(delivery, through_mailbox):
    final, frames = delivery
    answer, events = consume(frames, through_mailbox=through_mailbox)
    assert shown(events) == answer.text == final
    assert answer.reason is FinishReason.STOP
    assert all(seen.text for seen in events if isinstance(seen, TextDelta))
    assert sum(isinstance(seen, ChatStarted) for seen in events) <= 1


@EXAMPLES
@given(deliveries(reorder=True), st.booleans())
def test_any_order_gives_the_same_text(delivery, through_mailbox):
    final, frames = delivery
    answer, events = consume(frames, through_mailbox=through_mailbox)
    assert shown(events) == answer.text == final
    assert answer.reason is FinishReason.STOP


@EXAMPLES
@given(GROWTH, st.data())
def test_growing_text_is_never_taken_back_or_doubled_however_it_is_shuffled(growth, data):
    texts = ["".join(growth[: n + 1]) for n in range(len(growth))]
    order = data.draw(st.permutations([*range(len(texts)), *data.draw(st.lists(st.integers(0, len(texts) - 1)))]))
    answer = new_answer()
    frames = [frame(event("messageAdded", message(texts[n]))) for n in order]
    # What could still become a heading is held back until the message is complete.
    frames.append(frame(event("messageAdded", message(texts[-1], "complete"))))
    events = fold(answer, *frames)
    assert not any(isinstance(seen, TextReplaced) for seen in events)
    assert shown(events) == texts[-1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "messages",
        "min_seq",
        "type",
        "error",
        "message_type",
        "payload",
        "subscription_name",
        "unique_id",
        "data",
        "messageAdded",
        "messageId",
        "author",
        "text",
        "state",
        "attachments",
        "followupActions",
        "bodyText",
        "file",
        "url",
        "totalCostPoints",
        "trigger",
    ]
)
VALUES = st.one_of(
    JSON,
    st.sampled_from(
        ["messageAdded", "messageAdded:1000", "subscriptionUpdate", "jobCostUpdated", "https://a", "complete"]
    ),
)
OBJECTS = st.recursive(
    st.dictionaries(FIELDS, VALUES, max_size=6),
    lambda children: st.dictionaries(FIELDS, children | st.lists(children, max_size=3), max_size=6),
    max_leaves=8,
)


@EXAMPLES
@given(st.one_of(st.text(), st.binary(), JSON.map(json.dumps), OBJECTS.map(json.dumps)))
def test_random_frames_raise_nothing_but_a_protocol_error(text):
    try:
        parsed = parse_frame(text)
    except PoeError as error:
        assert error.code is ErrorCode.PROTOCOL
        with pytest.raises(PoeError):
            parse_frame(text, [CHAT])
    else:
        assert isinstance(parsed, Frame)
        of_one = parse_frame(text, [CHAT])
        assert (of_one.control, of_one.min_seq) == (parsed.control, parsed.min_seq)


@EXAMPLES
@given(st.lists(OBJECTS.map(json.dumps), max_size=4), OBJECTS)
def test_random_events_inside_a_right_frame_raise_nothing_but_poe_errors(elements, body):
    answer = new_answer(suggest_replies=True)
    text = frame(*elements, event("messageAdded", body), event("messageAdded", {**message("A"), **body}))
    updates = parse_frame(text).updates
    ours = [update for update in updates if update.chat_id == CHAT]
    assert [update for update in parse_frame(text, [CHAT]).updates if update.chat_id == CHAT] == ours
    try:
        for update in updates:
            for seen in answer.feed(update):
                str(getattr(seen, "text", "")).encode()
    except PoeError:
        assert answer.has_failed


@pytest.mark.parametrize(
    ("unique_id", "trigger", "expected"),
    [
        (CHAT, {"message": {"chat": {"chatId": 77}, "messageId": 5}}, (77, 9, 5)),
        (CHAT, {"message": {"messageId": 5}}, (CHAT, 9, 5)),
        (CHAT, None, (CHAT, 9, None)),
        ("nobody", {"message": {"chat": {"chatId": 77}}}, (77, 9, None)),
        ("nobody", {"message": {"chat": {"chatId": "?"}}}, None),
        ("nobody", None, None),
    ],
)
def test_a_cost_belongs_to_the_chat_and_message_that_it_names(unique_id, trigger, expected):
    """What an answer cost is booked by this: the event's own chat counts only where the trigger names none."""
    (update,) = parse_frame(
        frame(event("jobCostUpdated", {"totalCostPoints": 9, "trigger": trigger}, unique_id))
    ).updates or (None,)
    assert (update if update is None else (update.chat_id, update.points, update.message_id)) == expected


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [("https://a/1.png", True), ("http://a/1.png", True), ("HTTP://a", False), ("ftp://a", False), (None, False)],
)
def test_a_file_needs_an_address_of_the_web(url, is_taken):
    files = _protocol.parse_files([{"name": "1.png", "url": url, "file": {"mimeType": 7}}])
    assert [(file.url, file.content_type) for file in files] == ([(url, None)] if is_taken else [])
