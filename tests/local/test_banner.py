"""What a newcomer reads in the terminal of `make run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from local.banner import ready_text
from local.settings import Upstream


def text(upstream: Upstream, folder: str = ".local", host: str = "127.0.0.1", addresses: Sequence[str] = ()) -> str:
    return ready_text(
        url="http://127.0.0.1:8000",
        api_key="key",
        upstream=upstream,
        run_file=Path(folder, "run.env"),
        logs=Path(folder, upstream),
        host=host,
        addresses=addresses,
    )


def test_listening_to_the_whole_network_is_said_with_the_address_that_works():
    exposed = text(Upstream.SIMULATOR, host="0.0.0.0", addresses=["http://10.0.0.7:8000/v1"])
    assert "HOST=0.0.0.0 lets other machines reach it, unencrypted, at http://10.0.0.7:8000/v1." in exposed
    assert "lets other machines" not in text(Upstream.SIMULATOR)


def test_live_asks_for_an_account_before_it_shows_requests():
    live = text(Upstream.LIVE)
    assert (
        live.index("`. .local/run.env`")
        < live.index("poegw accounts add official")
        < live.index("A streamed answer with curl")
    )
    assert "/admin/accounts" not in text(Upstream.SIMULATOR)


def test_the_command_line_is_named_by_a_path_that_works():
    for upstream in Upstream:
        told = text(upstream)
        assert ".venv/bin/poegw status" in told
        assert "poegw" not in told.replace(".venv/bin/poegw", "")


@pytest.mark.parametrize("upstream", Upstream)
def test_a_folder_with_a_space_is_quoted(upstream):
    shown = text(upstream, "/my projects/state")
    assert "`. '/my projects/state/run.env'`" in shown
    assert "`. /my" not in shown


@pytest.mark.parametrize("upstream", Upstream)
def test_the_console_is_named_with_what_opens_it(upstream):
    assert "http://127.0.0.1:8000/console/ (sign in with the GATEWAY_ADMIN_KEY of .local/run.env)" in text(upstream)


@pytest.mark.parametrize("upstream", Upstream)
def test_the_way_out_is_the_last_line(upstream):
    assert text(upstream).endswith("\nCtrl-C ends it.\n")
