"""The simulated bots: their description, and how they answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from local.poe_web import answers, media
from local.poe_web.answers import Answer
from local.poe_web.catalogue import CODENAMES
from local.poe_web.relay import relay_id

_DISPLAY_NAMES = {codename: name for name, codename in CODENAMES.items()}


def folded(handle: str) -> str:
    """The form in which handles are compared: clients ask in lower case and without spaces.

    Source: docs/reference/poe-web.md#bots-and-account.
    """
    return handle.lower().replace(" ", "")


@dataclass(slots=True)
class Bot:
    """One bot.

    `cost` is in points per message; `pace` multiplies the time between events; `owner` is the creator's `p_b`.
    """

    bot_id: int
    handle: str
    answer: Answer
    cost: int = 20
    pace: float = 1.0
    description: str = ""
    category: str = "Official"
    model: str = ""
    subscribers_only: bool = False
    accepts_files: bool = True
    upload_limit: int = 50 * 1024 * 1024
    owner: str | None = None
    prompt: str = ""
    display_name: str = ""
    private: bool = False
    has_suggested_replies: bool = False
    cites: bool = False
    custom_ui: str | None = None
    knowledge_ids: list[int] = field(default_factory=list)
    deleted: bool = False

    def __post_init__(self) -> None:
        self.display_name = self.display_name or self.handle
        self.model = self.model or CODENAMES.get(self.handle, folded(self.handle))

    @property
    def id(self) -> str:
        """The global id."""
        return relay_id("Bot", self.bot_id)

    @property
    def author(self) -> str:
        """The name under which its messages appear."""
        return CODENAMES.get(self.handle, self.handle)


_SLIDER = (
    '{"controls":[{"type":"drop_down","label":"Aspect","parameter_name":"aspect","default_value":"1:1",'
    '"options":[{"name":"Square","value":"1:1"},{"name":"Wide","value":"16:9"}]}]}'
)


def standard_bots() -> list[Bot]:
    """The bots that every simulator starts with."""
    made = [
        Bot(3001, "GPT-4o", answers.story, description='Numbered words; "count 200" in the prompt sets how many.'),
        Bot(3002, "Assistant", answers.puppet, description="Echoes, or says what stands in [[say: ...]]."),
        Bot(3003, "Echo", answers.echo, cost=1, description='Streams "You said: ..." word by word.'),
        Bot(3004, "Story", answers.story, description='Numbered words; "count 200" in the prompt sets how many.'),
        Bot(3005, "Thinker", answers.thinker, cost=50, description="Replaces a progress text by its answer."),
        Bot(3006, "Painter", media.painter, cost=300, category="ImageGen", custom_ui=_SLIDER, description="An image."),
        Bot(
            3007, "Sketcher", media.sketcher, cost=100, category="ImageGen", description="An image address in the text."
        ),
        Bot(3008, "Speaker", media.speaker, cost=100, category="Audio", description="A sound."),
        Bot(3009, "Helper", answers.helper, has_suggested_replies=True, description="Suggests replies."),
        Bot(3010, "Slow", answers.echo, pace=10.0, description="Echoes at a tenth of the pace."),
        Bot(3011, "Premium", answers.echo, cost=500, subscribers_only=True, description="For subscribers."),
        Bot(3012, "Puppet", answers.puppet, cost=5, description="Says what stands in [[say: ...]]."),
        Bot(3013, "Librarian", answers.echo, cites=True, description="Echoes and cites sources."),
        Bot(3014, "Claude-3.5-Sonnet", answers.puppet, description="Echoes, or says what stands in [[say: ...]]."),
        Bot(3015, "GPT-3.5-Turbo", answers.echo, cost=2, description="Echoes; the default model for created bots."),
    ]
    return made


class BotDirectory:
    """All bots by the names that clients use for them: handle in any case, display name, codename, id."""

    def __init__(self, bots: Iterable[Bot]) -> None:
        self._bots: list[Bot] = list(bots)

    def __iter__(self) -> Iterator[Bot]:
        return iter(self._bots)

    def add(self, bot: Bot) -> None:
        """Make a bot known."""
        self._bots.append(bot)

    def next_id(self) -> int:
        """An id that no bot has."""
        return max(9000, *(bot.bot_id + 1 for bot in self._bots))

    def named(self, name: str, viewer: str | None = None) -> Bot | None:
        """The bot that is called `name`, unless it was deleted or is private to somebody but `viewer` (a `p_b`)."""
        wanted = folded(_DISPLAY_NAMES.get(name, name))
        for bot in self._bots:
            if not bot.deleted and wanted in (folded(bot.handle), folded(bot.display_name)):
                return bot if not bot.private or bot.owner == viewer else None
        return None

    def by_id(self, bot_id: int) -> Bot | None:
        """The bot with this number, unless it was deleted."""
        return next((bot for bot in self._bots if bot.bot_id == bot_id and not bot.deleted), None)
