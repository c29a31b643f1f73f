"""The event loop is the function's choice."""

import asyncio
import builtins
import sys
from typing import Any

import pytest

from streaming_runtime.errors import InitError
from streaming_runtime.event_loop import LoopChoice, find_loop_factory

uvloop = pytest.importorskip("uvloop", reason="a test dependency without a wheel for every machine")


@pytest.fixture
def without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that does not bring it."""
    monkeypatch.setitem(sys.modules, "uvloop", None)


def test_auto_takes_uvloop_where_the_function_brings_it():
    assert find_loop_factory(LoopChoice.AUTO) is uvloop.new_event_loop
    assert find_loop_factory(LoopChoice.UVLOOP) is uvloop.new_event_loop


def test_asyncio_does_not_even_look_for_another(monkeypatch):
    def refuse(*arguments: Any, **named: Any) -> Any:
        raise AssertionError(arguments[0])

    # Taken back at once: plugins of pytest import, too, between a test and its teardown.
    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", refuse)
        factory = find_loop_factory(LoopChoice.ASYNCIO)
    assert factory is None


def test_auto_falls_back_to_asyncio(without_uvloop):
    assert find_loop_factory(LoopChoice.AUTO) is None


def test_uvloop_that_is_demanded_and_missing_is_an_init_error(without_uvloop):
    with pytest.raises(InitError, match=r"STREAMING_RUNTIME_LOOP='uvloop' needs the package uvloop") as caught:
        find_loop_factory(LoopChoice.UVLOOP)
    assert caught.value.error_type == "Runtime.ImportModuleError"


def test_the_factory_is_one_that_asyncio_accepts():
    with asyncio.Runner(loop_factory=find_loop_factory(LoopChoice.UVLOOP)) as runner:
        assert isinstance(runner.get_loop(), uvloop.Loop)
