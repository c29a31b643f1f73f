"""The life of one sandbox: start the application, serve invocations one after the other, stop."""

import asyncio
import gc
import os
import signal
from contextlib import suppress
from typing import Any

from mangum import Mangum

from streaming_runtime import log
from streaming_runtime.errors import AppStuckError, InitError, RuntimeApiError
from streaming_runtime.failures import causes_of, init_failure_of, stack_of, type_name
from streaming_runtime.generators import AbandonedGenerators
from streaming_runtime.invocation import Sandbox, run_invocation
from streaming_runtime.lifespan import Lifespan
from streaming_runtime.runtime_api import RuntimeApi
from streaming_runtime.settings import Address, Settings

TRACE_VARIABLE = "_X_AMZN_TRACE_ID"
INIT_ERROR_SECONDS = 5.0


async def serve(settings: Settings, mangum: Mangum) -> int:
    """Serve until SIGTERM or SIGINT, or until something is broken for good: exit status 0 or 1."""
    _cancel_on_signals()
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    api = RuntimeApi(settings.address)
    lifespan = Lifespan(mangum.app, mangum.lifespan)
    try:
        await lifespan.start()
        # What start-up made lives as long as the process: the garbage collector need not look at it again.
        gc.freeze()
        with AbandonedGenerators() as generators:
            await serve_invocations(Sandbox(api, settings, mangum, generators, lifespan.state))
    except asyncio.CancelledError:
        return 0
    except InitError as error:
        await report_init_error(settings.address, error)
    except (RuntimeApiError, AppStuckError) as error:
        log.problem("runtime.stopped", errorType=type_name(error), reason=str(error))
    except Exception as error:  # noqa: BLE001 - a defect here; a plain traceback might show what a user sent
        log.problem("runtime.crashed", errorType=type_name(error), stack=stack_of(error))
    finally:
        api.close()
        await lifespan.stop(timeout_seconds=settings.shutdown_seconds)
    return 1


async def serve_invocations(sandbox: Sandbox) -> None:
    """Fetch and run invocations until cancelled. Raises RuntimeApiError and AppStuckError."""
    while True:
        invocation = await sandbox.api.next_invocation()
        # Where the X-Ray SDK and Powertools look for it.
        if invocation.trace_id:
            os.environ[TRACE_VARIABLE] = invocation.trace_id
        else:
            os.environ.pop(TRACE_VARIABLE, None)
        await run_invocation(sandbox, invocation)


async def report_init_error(address: Address, error: InitError) -> None:
    """Tell the log and the Runtime API why this sandbox cannot serve. Never raises."""
    failure = init_failure_of(error)
    log.problem("init.failed", errorType=failure.error_type, reason=failure.message, stack=failure.stack)
    api = RuntimeApi(address)
    with suppress(RuntimeApiError, TimeoutError):
        await api.post_init_error(failure, timeout_seconds=INIT_ERROR_SECONDS)
    api.close()


def log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio has nobody to tell, such as the failure of a task that is not awaited.

    Takes the place of asyncio's own handler, which writes the exception's text and the arguments of callbacks. An
    application may set another one.
    """
    error = context.get("exception")
    if isinstance(error, BaseException):
        log.problem("loop.error", errorType=type_name(error), causes=causes_of(error), stack=stack_of(error))
    else:
        # Without an exception it is one of asyncio's constant sentences.
        log.problem("loop.error", reason=str(context.get("message")))


def _cancel_on_signals() -> None:
    """The first SIGTERM or SIGINT cancels the current task; further ones change nothing."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    pending = [signal.SIGTERM, signal.SIGINT]

    def stop() -> None:
        if pending and task is not None:
            pending.clear()
            task.cancel()

    for number in tuple(pending):
        loop.add_signal_handler(number, stop)
