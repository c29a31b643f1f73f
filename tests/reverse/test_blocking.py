"""The event loop that serves threads which block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from reverse.blocking import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread("test-loop")
    yield thread
    thread.close()


def _is_running(name: str = "test-loop") -> bool:
    return any(thread.name == name for thread in threading.enumerate())


async def _answer(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def _fail() -> None:
    raise LookupError("as it was raised")


def test_results_and_exceptions_pass_through(loop: LoopThread) -> None:
    assert loop.run(_answer(7)) == 7
    with pytest.raises(LookupError, match="as it was raised"):
        loop.run(_fail())


def test_leaving_an_iteration_early_closes_its_generator_before_going_on(loop: LoopThread) -> None:
    closed = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(1000):
                yield number
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    items = loop.iterate(numbers())  # type: ignore[arg-type]  # an asynchronous generator function
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert closed == [True]


def test_an_interrupt_right_after_a_step_was_submitted_leaves_nothing_running(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    async def endless() -> AsyncIterator[int]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            closed.append(True)

    submit = asyncio.run_coroutine_threadsafe

    def interrupted(coroutine, target):  # type: ignore[no-untyped-def]  # stands in for the library's
        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", submit)
        submit(coroutine, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(loop.iterate(endless()))  # type: ignore[arg-type]  # an asynchronous generator function
    assert closed == [True]


def test_closing_ends_the_thread_and_what_waits_in_it() -> None:
    loop = LoopThread("test-loop")
    entered = threading.Event()
    failures: list[str] = []

    async def wait() -> None:
        entered.set()
        await asyncio.Event().wait()

    def block() -> None:
        try:
            loop.run(wait())
        except RuntimeError as error:
            failures.append(str(error))

    caller = threading.Thread(target=block)
    caller.start()
    entered.wait(5)
    loop.close()
    loop.close()
    caller.join(5)
    assert failures == ["the client was closed"]
    assert not _is_running()
    with pytest.raises(RuntimeError, match="closed"):
        loop.run(_answer(1))


def test_an_interrupt_of_the_caller_cancels_what_it_waits_for(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned = threading.Event()
    entered = threading.Event()

    async def wait() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    submit = asyncio.run_coroutine_threadsafe

    def interrupting(coroutine, target):  # type: ignore[no-untyped-def]  # stands in for the library's
        future = submit(coroutine, target)

        def result(_timeout: float | None = None) -> None:
            entered.wait(5)
            raise KeyboardInterrupt

        future.result = result  # type: ignore[method-assign]  # Ctrl-C while waiting
        return future

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupting)
    with pytest.raises(KeyboardInterrupt):
        loop.run(wait())
    assert cleaned.is_set()


def test_a_blocking_call_from_the_loop_itself_is_refused_instead_of_waiting_for_itself(loop: LoopThread) -> None:
    async def nested() -> int:
        return loop.run(_answer(1))

    with pytest.raises(RuntimeError, match="event loop"):
        loop.run(nested())
