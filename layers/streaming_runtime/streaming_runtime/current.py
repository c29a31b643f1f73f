"""Which invocation is being served: what log records are tagged with.

One at a time, the whole process belongs to it: threads and tasks that the application keeps between requests included.
With several at a time only the context of each application's own task can tell.
"""

from contextvars import ContextVar
from typing import NamedTuple


class Current(NamedTuple):
    """An invocation, as log lines name it. Empty before the first."""

    request_id: str = ""
    tenant_id: str | None = None


_of_task: ContextVar[Current | None] = ContextVar("streaming_runtime.current", default=None)
_of_process = [Current()]


def set_for_process(current: Current) -> None:
    """Tag whatever logs, from now on."""
    _of_process[0] = current


def set_for_task(current: Current) -> None:
    """Tag what this task logs, and the tasks that it starts."""
    _of_task.set(current)


def get_current() -> Current:
    """The task's own, otherwise the process's."""
    return _of_task.get() or _of_process[0]
