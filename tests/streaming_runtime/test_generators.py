"""Generators that became garbage are closed before the sandbox is frozen."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

from streaming_runtime import log
from streaming_runtime.generators import AbandonedGenerators


class Resource:
    """Held by a generator until that is closed."""

    def __init__(self, *, fails: bool = False) -> None:
        self.is_released = False
        self.fails = fails

    async def hold(self) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0.01)
            self.is_released = True
            if self.fails:
                raise KeyError("sk-secret")


async def test_a_generator_in_a_reference_cycle_is_found_and_closed():
    resource = Resource()
    with AbandonedGenerators() as generators:
        cycle: list[object] = [resource.hold()]
        cycle.append(cycle)
        assert await anext(cycle[0]) == 1
        del cycle
        await generators.close(collect=True, timeout_seconds=5)
        assert resource.is_released


async def test_a_generator_that_was_dropped_is_waited_for_without_a_collection():
    resource = Resource()
    with AbandonedGenerators() as generators:
        async for _ in resource.hold():
            break
        await asyncio.sleep(0)
        await generators.close(collect=False, timeout_seconds=5)
        assert resource.is_released


async def test_a_generator_in_use_is_left_alone():
    resource = Resource()
    with AbandonedGenerators() as generators:
        generator = resource.hold()
        await anext(generator)
        await generators.close(collect=True, timeout_seconds=5)
        assert not resource.is_released and await anext(generator) == 2
        await generator.aclose()


async def test_waiting_is_bounded():
    resource = Resource()
    with AbandonedGenerators() as generators:
        async for _ in resource.hold():
            break
        await generators.close(collect=True, timeout_seconds=0)
        assert not resource.is_released
        await generators.close(collect=True, timeout_seconds=5)


async def test_a_cleanup_that_fails_is_logged(capsys):
    with AbandonedGenerators() as generators:
        async for _ in Resource(fails=True).hold():
            break
        await generators.close(collect=True, timeout_seconds=5)
    assert capsys.readouterr().out.startswith("[ERROR] KeyError: ")


async def test_a_cleanup_that_fails_is_logged_by_type_where_exceptions_are_hidden(capsys):
    log.hide_exceptions(True)
    with AbandonedGenerators() as generators:
        async for _ in Resource(fails=True).hold():
            break
        await generators.close(collect=True, timeout_seconds=5)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["errorType"] == "KeyError" and "secret" not in line


async def test_the_event_loops_own_hooks_are_restored():
    before = sys.get_asyncgen_hooks()
    with AbandonedGenerators():
        assert sys.get_asyncgen_hooks() != before
    assert sys.get_asyncgen_hooks() == before
