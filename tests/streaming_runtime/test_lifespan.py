"""The application's lifespan, once per sandbox."""

import asyncio
import json

import pytest

from streaming_runtime import log
from streaming_runtime.errors import InitError
from streaming_runtime.lifespan import Lifespan


def lifespan_app(log, *, startup="complete", shutdown="complete"):
    async def app(scope, receive, send):
        for phase, ending in (("startup", startup), ("shutdown", shutdown)):
            message = await receive()
            log.append(message["type"])
            scope["state"][phase] = asyncio.current_task()
            await send({"type": f"lifespan.{phase}.{ending}", "message": "no database"})

    return app


async def test_startup_state_is_kept_and_both_ends_run_in_one_task():
    log: list[str] = []
    lifespan = Lifespan(lifespan_app(log), "auto")
    await lifespan.start(timeout_seconds=5)
    assert log == ["lifespan.startup"] and lifespan.state["startup"] is not None
    await lifespan.stop(timeout_seconds=1)
    assert log == ["lifespan.startup", "lifespan.shutdown"]
    assert lifespan.state["startup"] is lifespan.state["shutdown"]


@pytest.mark.parametrize("mode", ["auto", "on"])
async def test_a_failed_startup_is_an_init_error_with_the_applications_words(mode):
    lifespan = Lifespan(lifespan_app([], startup="failed"), mode)
    with pytest.raises(InitError, match="no database") as caught:
        await lifespan.start(timeout_seconds=5)
    assert caught.value.error_type == "Runtime.StartupFailed"
    await lifespan.stop(timeout_seconds=1)


async def app_without_lifespan(scope, receive, send):
    raise AssertionError("unexpected scope: lifespan")


async def app_that_returns(scope, receive, send):
    """Ignores the lifespan."""


async def app_that_fails(scope, receive, send):
    await receive()
    raise KeyError("sk-secret of the lifespan")


@pytest.mark.parametrize("app", [app_without_lifespan, app_that_returns, app_that_fails])
async def test_an_application_without_lifespan_is_fine_unless_it_is_demanded(app):
    lifespan = Lifespan(app, "auto")
    await lifespan.start(timeout_seconds=5)
    await lifespan.stop(timeout_seconds=1)
    lifespan = Lifespan(app, "on")
    with pytest.raises(InitError):
        await lifespan.start(timeout_seconds=5)
    await lifespan.stop(timeout_seconds=1)


async def test_an_error_instead_of_a_startup_is_logged_with_its_text_unless_that_is_hidden(capsys):
    await Lifespan(app_that_fails, "auto").start(timeout_seconds=5)
    assert "secret" in json.loads(capsys.readouterr().err)["errorMessage"]
    log.hide_exceptions(True)
    await Lifespan(app_that_fails, "auto").start(timeout_seconds=5)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["errorType"] == "KeyError" and "secret" not in line


async def app_that_takes_it_for_a_request(scope, receive, send):
    """Looks at no `scope["type"]`, and answers."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def app_that_waits_for_the_end_of_a_request(scope, receive, send):
    """Looks at no `scope["type"]`, and holds until the caller leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize("app", [app_that_takes_it_for_a_request, app_that_waits_for_the_end_of_a_request])
async def test_an_application_that_ignores_the_kind_of_scope_does_not_support_lifespan(app, capsys):
    lifespan = Lifespan(app, "auto")
    await lifespan.start(timeout_seconds=3600)
    await lifespan.stop(timeout_seconds=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "lifespan.unsupported"


async def app_that_hangs(scope, receive, send):
    await asyncio.Event().wait()


async def test_a_startup_beyond_its_bound_counts_as_unsupported_and_is_logged(capsys):
    lifespan = Lifespan(app_that_hangs, "auto")
    await lifespan.start(timeout_seconds=0.01)
    await lifespan.stop(timeout_seconds=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "lifespan.timed_out" and "STREAMING_RUNTIME_LIFESPAN_MS" in line
    lifespan = Lifespan(app_that_hangs, "on")
    with pytest.raises(InitError, match="STREAMING_RUNTIME_LIFESPAN_MS"):
        await lifespan.start(timeout_seconds=0.01)
    await lifespan.stop(timeout_seconds=1)


async def test_a_startup_that_completes_after_its_bound_is_taken_and_shut_down():
    may_start, has_started, log = asyncio.Event(), asyncio.Event(), []

    async def app(scope, receive, send):
        async def note(message):
            await send(message)
            has_started.set()

        await may_start.wait()
        await lifespan_app(log)(scope, receive, note)

    lifespan = Lifespan(app, "auto")
    await lifespan.start(timeout_seconds=0.01)
    may_start.set()
    await asyncio.wait_for(has_started.wait(), 30)
    await lifespan.stop(timeout_seconds=5)
    assert log == ["lifespan.startup", "lifespan.shutdown"]


async def test_an_application_that_ends_the_process_at_its_start_is_an_init_error():
    async def app(scope, receive, send):
        raise SystemExit(3)

    lifespan = Lifespan(app, "auto")
    with pytest.raises(InitError, match=r"SystemExit\(3\)") as caught:
        await lifespan.start(timeout_seconds=5)
    assert caught.value.error_type == "Runtime.ExitError"
    await lifespan.stop(timeout_seconds=1)


async def test_a_refusal_of_the_scope_is_not_worth_a_line(capsys):
    async def app(scope, receive, send):
        raise NotImplementedError(scope["type"] == "http")

    await Lifespan(app, "auto").start(timeout_seconds=5)
    assert not capsys.readouterr().err


async def test_off_means_that_the_application_is_not_asked():
    lifespan = Lifespan(app_without_lifespan, "off")
    await lifespan.start(timeout_seconds=5)
    await lifespan.stop(timeout_seconds=1)


async def test_a_shutdown_that_hangs_is_cancelled_in_time(capsys):
    ended = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    lifespan = Lifespan(app, "auto")
    await lifespan.start(timeout_seconds=5)
    await asyncio.wait_for(lifespan.stop(timeout_seconds=0.01), 30)
    assert ended.is_set()
    assert json.loads(capsys.readouterr().err)["message"] == "lifespan.shutdown_timed_out"


async def test_a_failed_shutdown_does_not_raise(capsys):
    lifespan = Lifespan(lifespan_app([], shutdown="failed"), "auto")
    await lifespan.start(timeout_seconds=5)
    await lifespan.stop(timeout_seconds=1)
    assert "lifespan.shutdown_failed" in capsys.readouterr().err
