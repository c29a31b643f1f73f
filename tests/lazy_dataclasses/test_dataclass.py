"""The decorator beside the standard library's: the same class made by both behaves in the same way."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import threading
import types
import typing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_type_hints

import pytest

from lazy_dataclasses import _lazy, dataclass, make_methods

ROOT = Path(__file__).parents[2]
DEPLOYED = ("http_connections", "reverse", "layers/accounts/accounts", "layers/pool/pool", "functions")
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
    assert str(signature).startswith("(x: 'float', y: 'float' = 0, tags: 'list[str]' = <factory>, ")


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


@BOTH
def test_what_is_no_field_is_copied_where_there_are_no_slots(make: Decorator) -> None:
    @make(frozen=True)
    class Open:
        value: int
        later: int = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "extra", self.value + 1)

    assert vars(copy.copy(Open(1))) == vars(copy.deepcopy(Open(1))) == {"value": 1, "extra": 2}


@BOTH
def test_a_class_can_refuse_to_be_hashed(make: Decorator) -> None:
    @make(frozen=True, slots=True)
    class Listed:
        value: int
        __hash__ = None  # type: ignore[assignment]

    @make(frozen=True, slots=True)
    class Equal:  # noqa: PLW1641 - the decorator adds the hash
        value: int

        def __eq__(self, other: object) -> bool:
            return True

    with pytest.raises(TypeError, match="unhashable"):
        hash(Listed(1))
    assert hash(Equal(1)) == hash(Equal(1))


@BOTH
def test_a_class_that_can_be_changed_is_not_made_of_a_frozen_one(make: Decorator) -> None:
    @make(frozen=True, slots=True)
    class Base:
        value: int

    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):

        @make(slots=True)
        class Derived(Base):
            pass


def test_the_module_of_a_class_may_be_gone_at_its_first_call() -> None:
    module = types.ModuleType("soon_gone")
    sys.modules["soon_gone"] = module
    source = "from lazy_dataclasses import dataclass\n@dataclass(frozen=True)\nclass Point:\n    x: int\n"
    exec(source, vars(module))
    del sys.modules["soon_gone"]
    assert module.Point(1).x == 1


def test_threads_may_make_the_first_instances_at_once() -> None:
    @dataclass(frozen=True, slots=True)
    class Point:
        x: int
        tags: list[str] = field(default_factory=list)

    start = threading.Barrier(8)

    def first(x: int) -> object:
        start.wait(30)
        return Point(x)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(first, range(8))) == [Point(x) for x in range(8)]


@BOTH
def test_a_repr_that_failed_shows_the_same_fields_afterwards(make: Decorator) -> None:
    class Failing:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    one = point(make)(Failing(), secret="s3cret")
    with pytest.raises(RuntimeError, match="no words"):
        repr(one)
    one.x = 1
    assert repr(one).endswith("Point(x=1, y=0, tags=[], note='', count=1)")


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
from lazy_dataclasses import dataclass
def note(event, given):
    # Files are compiled, too, where no bytecode is kept.
    if event == "compile" and given[1] == "<string>" and "def __init__(" in str(given[0]):
        made.append(1)
sys.addaudithook(note)
@dataclass(frozen=True, slots=True)
class Point:
    x: int
before = len(made)
Point(1), Point(2), repr(Point(1)), hash(Point(1)), Point(1) == Point(2)
print(before, len(made))
"""
    assert python(counted).split() == ["0", "1"]


def test_a_class_without_a_docstring_costs_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a signature is slow to find")

    monkeypatch.setattr(inspect, "signature", refuse)

    @dataclass(slots=True)
    class Point:
        x: int

    assert Point.__doc__ == "Point"


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


@BOTH
def test_what_belongs_to_the_class_is_no_field(make: Decorator) -> None:
    @make(slots=True)
    class Counted:
        value: int
        limit: ClassVar[int] = 3
        other: typing.ClassVar[int] = 4

        def twice(self) -> int:
            return 2 * self.value

    assert [item.name for item in fields(Counted)] == ["value"]
    assert (Counted.limit, Counted(1).other, Counted(2).twice()) == (3, 4, 4)


@BOTH
def test_patterns_read_by_position_and_by_name(make: Decorator) -> None:
    @make(frozen=True, slots=True)
    class Place:
        x: int
        y: int = 0
        note: str = field(default="", kw_only=True)

    class Nearer(Place):
        pass

    match Nearer(1, 2, note="n"):
        case Place(x, y, note=note):
            assert (x, y, note) == (1, 2, "n")
        case _:
            pytest.fail("no match")
    assert Place.__match_args__ == Nearer.__match_args__ == ("x", "y")
    assert Place.__match_args__ is Nearer.__match_args__, "made once, and not for each pattern"


@BOTH
def test_defaults_are_read_from_a_class_without_slots_alone(make: Decorator) -> None:
    @make
    class Open:
        a: int = 1
        b: int = field(default=2)
        c: list[int] = field(default_factory=list)

    assert (Open.a, Open.b) == (1, 2)
    assert not hasattr(Open, "c")
    assert not isinstance(vars(point(make))["y"], int)


@BOTH
def test_a_default_may_be_an_attribute_of_a_base(make: Decorator) -> None:
    class Plain:
        x = 1

    @make
    class Middle(Plain):
        x: int
        y: int = 2

    @make
    class Last(Middle):
        y: int

    @make(slots=True)
    class Slotted:
        x: int

    @make(slots=True)
    class OfSlotted(Slotted):
        x: int

    assert (Last().x, Last().y, Last(3).x) == (1, 2, 3)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        OfSlotted()


@BOTH
def test_a_descriptor_says_its_default_itself(make: Decorator) -> None:
    class Whole:
        def __get__(self, instance: Any, owner: Any) -> int:
            return 7 if instance is None else instance.__dict__["kept"]

        def __set__(self, instance: Any, value: float) -> None:
            instance.__dict__["kept"] = int(value)

    class Required(Whole):
        def __get__(self, instance: Any, owner: Any) -> int:
            if instance is None:
                raise AttributeError
            return super().__get__(instance, owner)

    @make
    class Optional:
        x: int = Whole()  # type: ignore[assignment]

    @make
    class Needed:
        x: int = Required()  # type: ignore[assignment]

    assert (Optional().x, Optional(2.5).x, Needed(3.5).x) == (7, 2, 3)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Needed()


@BOTH
def test_a_frozen_class_is_not_made_of_one_that_can_be_changed(make: Decorator) -> None:
    @make
    class Base:
        x: int = 1

    with pytest.raises(TypeError, match="cannot inherit frozen dataclass from a non-frozen one"):

        @make(frozen=True)
        class Frozen(Base):
            y: int = 2


@BOTH
def test_a_name_that_begins_like_a_class_variable_is_a_field(make: Decorator) -> None:
    @make
    class Kinds:
        x: ClassVariant = 1  # type: ignore[name-defined] # noqa: F821
        y: typing.ClassVar = 2

    assert [item.name for item in fields(Kinds)] == ["x"]


@BOTH
def test_slots_of_a_base_are_not_made_again(make: Decorator) -> None:
    @make(slots=True)
    class Base:
        a: int

    @make(slots=True, kw_only=True)
    class Derived(Base):
        a: int = 1
        b: int = 2

    assert (Base.__slots__, Derived.__slots__) == (("a",), ("b",))
    assert (Derived(b=3).a, Derived(b=3).b) == (1, 3)
    assert [item.kw_only for item in fields(Derived)] == [True, True]
    with pytest.raises(TypeError, match="already specifies __slots__"):

        @make(slots=True)
        class Twice:
            __slots__ = ("a",)
            a: int


@BOTH
def test_a_field_needs_an_annotation(make: Decorator) -> None:
    with pytest.raises(TypeError, match="annotation"):

        @make
        class Bare:
            x = field(default=1)


def test_what_is_for_initialisation_alone_is_refused() -> None:
    with pytest.raises(TypeError, match="InitVar"):

        @dataclass
        class Given:
            x: dataclasses.InitVar[int]

    with pytest.raises(TypeError, match="KW_ONLY"):

        @dataclass
        class Named:
            _: dataclasses.KW_ONLY
            x: int


def test_a_standard_dataclass_may_have_one_of_ours_as_its_base() -> None:
    @dataclass(slots=True)
    class Base:
        x: int
        y: int = 2

    @dataclasses.dataclass
    class Derived(Base):
        z: int = 9

    assert asdict(Derived(1)) == {"x": 1, "y": 2, "z": 9}
    assert dataclasses.is_dataclass(Base)


def test_fields_are_read_when_they_are_first_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    standard = _lazy._Fields._read

    def counted(self: _lazy._Fields, name: str, kind: Any) -> Any:
        read.append(name)
        return standard(self, name, kind)

    monkeypatch.setattr(_lazy._Fields, "_read", counted)
    kind = point(dataclass)
    assert read == []
    assert kind(1) and fields(kind) and kind.__match_args__
    assert isinstance(vars(kind)["__match_args__"], tuple)
    assert read == ["x", "y", "tags", "secret", "note", "count"]


@BOTH
def test_a_default_that_all_instances_would_share_is_refused(make: Decorator) -> None:
    with pytest.raises(ValueError, match=r"mutable default .*list.* for field tags"):

        @make
        class Shared:
            tags: list[str] = []  # noqa: RUF012 - what is tested

        Shared()


@BOTH
def test_fields_say_what_was_declared(make: Decorator) -> None:
    @make(slots=True, kw_only=True)
    class Described:
        a: int
        b: str = field(default="b", metadata={"unit": "s"}, kw_only=False)

    a, b = fields(Described)
    assert (a.name, a.type, a.default, a.kw_only) == ("a", "int", dataclasses.MISSING, True)
    assert (b.name, b.default, dict(b.metadata), b.kw_only) == ("b", "b", {"unit": "s"}, False)
    assert "name='b'" in repr(b) and "_field_type=_FIELD" in repr(b)


@pytest.mark.skipif(not hasattr(copy, "replace"), reason="Python 3.13 has it")
def test_copies_may_have_other_values() -> None:
    assert copy.replace(point(dataclass)(1), y=5).y == 5
