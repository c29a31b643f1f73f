"""The decorator. It makes slots and what needs no fields; fields are read, and `__init__` is compiled, at first use."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType, MethodType
from typing import Any

Decorator = Callable[[type[Any]], type[Any]]


def dataclass(
    cls: type[Any] | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    kw_only: bool = False,
    eq: bool = True,
) -> type[Any] | Decorator:
    """Make a dataclass, as `dataclasses.dataclass` with the same arguments does.

    Differences: a subclass of a frozen class that is no dataclass itself is frozen, too; what is wrong with a field is
    raised at first use instead of at import; the docstring of a class without one is its name; `__dataclass_params__`
    says nothing; and there is neither `InitVar` nor `KW_ONLY`.

    Raises `TypeError` for these two, a field without an annotation, `__slots__` beside `slots`, and a frozen class made
    of one that is not, or the other way round.
    """

    def make(cls: type[Any]) -> type[Any]:
        if not frozen and any(vars(base).get("__setattr__") is _refuse_to_set for base in cls.__mro__):
            raise TypeError("cannot inherit non-frozen dataclass from a frozen one")
        if frozen and any("__dataclass_fields__" in vars(base) and not _is_frozen(base) for base in cls.__mro__):
            raise TypeError("cannot inherit frozen dataclass from a non-frozen one")
        own = dict(cls.__dict__)
        annotations = {name: kind for name, kind in inspect.get_annotations(cls).items() if _is_field(kind)}
        given = {name: own.pop(name) for name in annotations if name in own}
        if any(isinstance(value, Field) for value in own.values()):
            raise TypeError(f"{cls.__name__} has a field without an annotation")
        reader = _Fields(annotations, given, kw_only=kw_only)
        added = _methods(own, frozen=frozen, slots=slots, eq=eq)
        # The standard library would put the signature there, for which it loads and runs a tokenizer.
        added |= {
            "__dataclass_fields__": reader,
            "__dataclass_params__": _PARAMS,
            "__doc__": cls.__doc__ or cls.__name__,
        }
        names = _MatchArgs()
        if "__match_args__" not in own:
            added["__match_args__"] = names
        made = _with_slots(cls, own | added, annotations) if slots else _changed(cls, added, given)
        reader.owner = names.owner = made
        if "__init__" not in own:
            made.__init__ = _Init(made, is_frozen=frozen)
        return made

    return make if cls is None else make(cls)


def make_methods(kind: type[Any]) -> None:
    """Make now what the first call would make, where that would come at a bad time. Any class may be given."""
    _ = kind.__init__


def _is_field(annotation: Any) -> bool:
    # `typing.ClassVar[int]` is one, whatever the module is called here, and `ClassVariant` is none.
    kind = str(annotation).partition("[")[0].rpartition(".")[2]
    if kind in ("InitVar", "KW_ONLY"):
        raise TypeError("there is neither InitVar nor KW_ONLY here")
    return kind != "ClassVar"


def _is_frozen(kind: type[Any]) -> bool:
    return "__setattr__" in vars(kind)


def _with_slots(cls: type[Any], namespace: dict[str, Any], names: Collection[str]) -> type[Any]:
    """The class anew: slots can't be added to one that there is."""
    if "__slots__" in namespace:
        raise TypeError(f"{cls.__name__} already specifies __slots__")
    inherited = {name for base in cls.__mro__[1:-1] for name in _slots_of(base)}
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    namespace["__slots__"] = tuple(name for name in names if name not in inherited)
    metaclass: Any = type(cls)
    made: type[Any] = metaclass(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    return made


def _slots_of(cls: type[Any]) -> Collection[str]:
    slots: str | Collection[str] = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def _changed(cls: type[Any], added: Mapping[str, Any], given: Mapping[str, Any]) -> type[Any]:
    for name, value in added.items():
        setattr(cls, name, value)
    for name, value in given.items():
        if not isinstance(value, Field):
            continue
        if value.default is MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, value.default)
    return cls


class _Fields:
    """Stands for the fields of a class, and puts them in its place when they are first asked for."""

    owner: type[Any]

    def __init__(self, annotations: dict[str, Any], given: Mapping[str, Any], *, kw_only: bool) -> None:
        self._annotations = annotations
        self._given = given
        self._kw_only = kw_only

    def __get__(self, instance: object | None, owner: type[Any]) -> dict[str, Field[Any]]:
        found: dict[str, Field[Any]] = {}
        for base in self.owner.__mro__[-1:0:-1]:
            found |= getattr(base, "__dataclass_fields__", {})
        for name, kind in self._annotations.items():
            found[name] = self._read(name, kind)
        # The annotation says so; the attribute is any class's.
        self.owner.__dataclass_fields__ = found
        return found

    def _read(self, name: str, kind: Any) -> Field[Any]:
        given = self._default(name)
        item: Any = given if isinstance(given, Field) else dataclasses.field(default=given)
        if item.default is not MISSING and type(item.default).__hash__ is None:
            raise ValueError(f"mutable default {type(item.default)} for field {name}: use default_factory")
        item.name, item.type, item._field_type = name, kind, _FIELD
        if item.kw_only is MISSING:
            item.kw_only = self._kw_only
        return item  # type: ignore[no-any-return]

    def _default(self, name: str) -> Any:
        """What the class would have as an attribute of this name, if it had no slots."""
        if name not in self._given:
            inherited = getattr(super(self.owner, self.owner), name, MISSING)
            return MISSING if isinstance(inherited, MemberDescriptorType) else inherited
        given = self._given[name]
        try:
            return given.__get__(None, self.owner) if hasattr(type(given), "__get__") else given
        except AttributeError:
            return MISSING  # so a descriptor says that it has no default


class _MatchArgs:
    """Stands for the names by which a pattern with positions reads an instance, and puts them in its place.

    Each such pattern asks for them, as the filters of an answer do for each of its pieces.
    """

    owner: type[Any]

    def __get__(self, instance: object | None, owner: type[Any]) -> tuple[str, ...]:
        names = tuple(item.name for item in fields(self.owner) if item.init and not item.kw_only)
        self.owner.__match_args__ = names  # type: ignore[misc]
        return names


@dataclasses.dataclass(init=False, repr=False, eq=False)
class _Sample:
    """What the standard library makes: parameters, which it reads in bases, and its mark of a field."""

    field: int


_PARAMS = vars(_Sample)["__dataclass_params__"]
_FIELD = vars(_Sample)["__dataclass_fields__"]["field"]._field_type


def _methods(own: dict[str, Any], *, frozen: bool, slots: bool, eq: bool) -> dict[str, Any]:
    """What a class gets that does not depend on its fields. What the class defines itself stays."""
    methods: dict[str, Any] = {"__repr__": _repr, "__replace__": _replace}
    if eq:
        methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
    if frozen:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
    if frozen and slots:
        # Copies and pickles would set attributes; without slots they update `__dict__`.
        methods |= {"__getstate__": _state, "__setstate__": _set_state}
    if "__eq__" in own and own["__hash__"] is None:
        del own["__hash__"]  # Python's own, for a class that defines equality alone
    return {name: method for name, method in methods.items() if name not in own}


class _Factory:
    """Stands in a signature for a default that is made at each call."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


class _Init:
    """Stands for the `__init__` of a class, and puts the real one in its place when it is first asked for."""

    def __init__(self, owner: type[Any], *, is_frozen: bool) -> None:
        self._owner = owner
        # Now, because at the first call the module may be gone or another one.
        self._names = vars(sys.modules[owner.__module__])
        self._is_frozen = is_frozen

    def __get__(self, instance: object | None, owner: type[Any]) -> Callable[..., None]:
        init = _compile_init(self._owner, self._names, is_frozen=self._is_frozen)
        self._owner.__init__ = init
        return init if instance is None else MethodType(init, instance)


def _compile_init(owner: type[Any], names: dict[str, Any], *, is_frozen: bool) -> Callable[..., None]:
    """The `__init__` of a class with these fields, with the names and annotations that the fields have."""
    values: dict[str, Any] = {"_FACTORY": _FACTORY, "_set": object.__setattr__}
    positional: list[str] = []
    by_name: list[str] = []
    assigned: dict[str, str] = {}
    for item in fields(owner):
        parameter, value = _initial(item, values)
        if item.init:
            (by_name if item.kw_only else positional).append(parameter)
        if value:
            assigned[item.name] = value
    body = _assignments(owner, assigned, values, is_frozen=is_frozen)
    if hasattr(owner, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *positional, *(["*", *by_name] if by_name else [])])
    lines = [f"def __init__({parameters}):", *(f"    {line}" for line in body or ["pass"])]
    source = "\n".join([f"def make({', '.join(values)}):", *(f"    {line}" for line in lines), "    return __init__"])
    # The text is made of identifiers only: the names of attributes in a class statement.
    made: dict[str, Any] = {}
    exec(source, names, made)  # noqa: S102
    init: Callable[..., None] = made["make"](**values)
    init.__qualname__ = f"{owner.__qualname__}.__init__"
    init.__annotations__ = {item.name: item.type for item in fields(owner) if item.init} | {"return": None}
    return init


def _assignments(
    owner: type[Any], assigned: Mapping[str, str], values: dict[str, Any], *, is_frozen: bool
) -> list[str]:
    """Statements that give these fields these expressions."""
    if not is_frozen:
        return [f"self.{name} = {value}" for name, value in assigned.items()]
    slots: list[Any] = [getattr(owner, name, None) for name in assigned]
    if not assigned or not all(isinstance(slot, MemberDescriptorType) for slot in slots):
        return [f"_set(self, {name!r}, {value})" for name, value in assigned.items()]
    if len(slots) == 1:
        values["_put"] = slots[0].__set__
        return [f"_put(self, {value})" for value in assigned.values()]
    # Parsing a call for each field is most of what an `__init__` costs.
    values["_slots"] = tuple(slot.__set__ for slot in slots)
    expressions = ", ".join(assigned.values())
    return [f"for _put, _value in zip(_slots, ({expressions},)):", "    _put(self, _value)"]


def _initial(item: Field[Any], values: dict[str, Any]) -> tuple[str, str]:
    """The parameter of a field, and the expression for its first value; defaults are added to `values`."""
    name, default = item.name, f"_default_{item.name}"
    if item.default is not MISSING:
        values[default] = item.default
        return f"{name}={default}", name if item.init else default
    if item.default_factory is not MISSING:
        values[default] = item.default_factory
        return f"{name}=_FACTORY", f"{default}() if {name} is _FACTORY else {name}" if item.init else f"{default}()"
    return name, name if item.init else ""


@recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)
    return f"{type(self).__qualname__}({shown})"


def _replace(self: Any, /, **changes: Any) -> Any:
    """What `copy.replace` calls, from Python 3.13 on."""
    return dataclasses.replace(self, **changes)


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _compared(instance: Any) -> Any:
    """The values that equality is about, as a tuple."""
    kind = type(instance)
    read = _readers.get(kind)
    if read is None:
        read = _readers[kind] = _reader([item.name for item in fields(kind) if item.compare])
    return read(instance)


_readers: dict[type[Any], Callable[[Any], Any]] = {}


def _reader(names: list[str]) -> Callable[[Any], Any]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple([getattr(instance, name) for name in names])


def _refuse_to_set(_: object, name: str, __: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, item.name) for item in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for item, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, item.name, value)
