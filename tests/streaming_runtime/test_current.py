"""Which invocation a log record belongs to."""

import asyncio
import threading

from streaming_runtime.current import Current, get_current, set_for_process, set_for_task


def test_before_the_first_invocation_there_is_none():
    assert get_current() == Current("", None)


def test_a_thread_belongs_to_the_process():
    set_for_process(Current("id-1", "tenant-1"))
    seen: list[Current] = []
    thread = threading.Thread(target=lambda: seen.append(get_current()))
    thread.start()
    thread.join()
    assert seen == [Current("id-1", "tenant-1")]


async def test_tasks_keep_their_own_and_hand_it_on_to_tasks_that_they_start():
    set_for_process(Current("of-the-process"))

    async def inner() -> str:
        return get_current().request_id

    async def outer(name: str) -> str:
        set_for_task(Current(name))
        await asyncio.sleep(0)
        return await asyncio.create_task(inner())

    assert await asyncio.gather(outer("a"), outer("b")) == ["a", "b"]
    assert get_current().request_id == "of-the-process"
