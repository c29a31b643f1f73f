"""The decorator beside the standard library's: the same class made by both behaves in the same way."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

import pytest

from lazy_dataclasses import dataclass, make_methods

ROOT = Path(__file__).parents[2]
DEPLOYED = ("reverse", "layers/accounts/accounts", "layers/pool/pool", "functions")
BOTH = pytest.mark.parametrize("make", [dataclass, dataclasses.dataclass], ids=["lazy", "standard"])
Decorator = Callable[..., Any]


def point(make: Decorator, **options: Any) -> Any:
    @make(slots=True, **options)
    class Point:
        """A place."""

        x: float
        y: float = 0
        tags: list[str] = field(default_factory=list)
        secret: str = field(default="hidden", repr=False)
        note: str = field(default="", compare=False)
        count: int = field(default=1, init=False)

    return Point


@BOTH
@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"frozen": True, "kw_only": True}, {"eq": False}])
def test_fields_get_what_is_given_or_their_defaults(make: Decorator, options: dict[str, bool]) -> None:
    kind = point(make, **options)
    one, other = kind(x=1, secret="s"), kind(x=2, y=3, tags=["a"])
    assert asdict(one) == {"x": 1, "y": 0, "tags": [], "secret": "s", "note": "", "count": 1}
    assert asdict(other) == {"x": 2, "y": 3, "tags": ["a"], "secret": "hidden", "note": "", "count": 1}
    assert one.tags is not kind(x=1).tags
    assert not hasattr(one, "__dict__")
    assert replace(one, y=5).y == 5
    assert [item.name for item in fields(kind)] == ["x", "y", "tags", "secret", "note", "count"]


@BOTH
def test_wrong_arguments_are_refused(make: Decorator) -> None:
    kind = point(make, kw_only=True)
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required keyword-only argument: 'x'"):
        kind()
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        kind(1)
    for unknown in ("z", "count"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{unknown}'"):
            kind(x=1, **{unknown: 2})


@BOTH
def test_the_signature_is_that_of_the_fields(make: Decorator) -> None:
    kind = point(make)
    signature = inspect.signature(kind)
    assert list(signature.parameters) == ["x", "y", "tags", "secret", "note"]
    assert signature.parameters["secret"].default == "hidden"
    assert get_type_hints(kind.__init__)["x"] is float
    assert kind.__match_args__ == ("x", "y", "tags", "secret", "note")
    assert kind.__doc__ == "A place."


@BOTH
def test_a_repr_shows_all_fields_but_those_that_say_no(make: Decorator) -> None:
    assert repr(point(make)(1)).endswith("Point(x=1, y=0, tags=[], note='', count=1)")
    one = point(make)(1)
    one.tags.append(one)
    assert "tags=[...]" in repr(one)


@BOTH
def test_equality_is_that_of_the_compared_fields_of_one_class(make: Decorator) -> None:
    kind, same_fields = point(make), point(make)
    assert kind(1) == kind(1, note="n") != kind(2)
    assert kind(1) != same_fields(1)
    assert kind(1).__eq__(1) is NotImplemented
    with pytest.raises(TypeError, match="unhashable"):
        hash(kind(1))
    identity = point(make, eq=False)
    assert identity(1) != identity(1)
    assert hash(identity(1))


@BOTH
def test_frozen_instances_can_be_keys_and_not_be_changed(make: Decorator) -> None:
    @make(frozen=True, slots=True)
    class One:
        value: object
        note: str = field(default="", compare=False)

    @make(frozen=True, slots=True)
    class Nothing:
        pass

    assert hash(One(1)) == hash(One(1, "n"))
    assert len({One(1), One(1, "n"), One(2), Nothing(), Nothing()}) == 3
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'value'"):
        One(1).value = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'value'"):
        del One(1).value


@BOTH
def test_a_class_keeps_what_it_defines_itself(make: Decorator) -> None:
    @make(frozen=True, slots=True)
    class Own:
        value: int

        def __init__(self, text: str) -> None:
            object.__setattr__(self, "value", int(text))

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 7

    assert (repr(Own("1")), Own("1"), hash(Own("1")), Own("3").value) == ("own", Own("2"), 7, 3)


@BOTH
def test_subclasses_have_the_fields_of_both(make: Decorator) -> None:
    @make(frozen=True, slots=True)
    class Base:
        a: int
        seen: list[str] = field(default_factory=list, compare=False)

        def __post_init__(self) -> None:
            self.seen.append(type(self).__name__)

    @make(frozen=True, slots=True)
    class Derived(Base):
        b: int = 2

        def __post_init__(self) -> None:
            Base.__post_init__(self)
            self.seen.append("derived")

    class Plain(Derived):
        pass

    assert (Derived(1).a, Derived(1).b, Derived(1).seen) == (1, 2, ["Derived", "derived"])
    assert Plain(1, b=3).b == 3
    assert type(Plain(1)) is Plain
    assert Base(1) != Derived(1)
    assert Base(1).seen == ["Base"]


@dataclass(frozen=True, slots=True)
class Kept:
    """At module level, where pickle finds it."""

    value: list[int]
    note: str = ""


def test_frozen_instances_can_be_copied_and_pickled() -> None:
    kept = Kept([1], "n")
    for again in (copy.copy(kept), copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
        assert again == kept
        assert again is not kept
    assert copy.deepcopy(kept).value is not kept.value


def test_generic_classes_and_classes_without_options_work() -> None:
    Item = TypeVar("Item")

    @dataclass(slots=True)
    class Box(Generic[Item]):
        item: Item

    @dataclass
    class Bare:
        item: int

    assert Box[int](1).item == 1
    assert Bare(1) == Bare(1)
    assert vars(Bare(1)) == {"item": 1}


def python(code: str) -> str:
    paths = ("", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime")
    program = f"import sys\nsys.path[:0] = {[str(ROOT / path) for path in paths]!r}\n{code}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_methods_are_made_when_they_are_first_called_and_once() -> None:
    counted = """
made = []
sys.addaudithook(lambda event, given: event == "compile" and "def __init__(" in str(given[0]) and made.append(1))
from lazy_dataclasses import dataclass, make_methods
@dataclass(frozen=True, slots=True)
class Point:
    x: int
before = len(made)
Point(1), Point(2), repr(Point(1)), hash(Point(1)), Point(1) == Point(2)
print(before, len(made))
"""
    assert python(counted).split() == ["0", "1"]


def test_methods_can_be_made_before_they_are_needed() -> None:
    @dataclass(slots=True)
    class Point:
        x: int

    class Other:
        pass

    make_methods(Point)
    assert inspect.isfunction(vars(Point)["__init__"])
    make_methods(Other)
    assert Point(1).x == 1


def test_the_deployed_packages_use_no_other_dataclasses() -> None:
    """The standard library's cost an import more than all else that it does."""
    other = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in DEPLOYED
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ("from dataclasses import" in line and "dataclass" in line.split(" import ")[1].replace(",", " ").split())
        or "dataclasses.dataclass" in line
    ]
    assert not other
