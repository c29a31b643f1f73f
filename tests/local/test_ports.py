"""Ports for servers that are started with a number."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from local import ports
from local.ports import free_port

KERNELS_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_nobody_listens_on_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass


@pytest.mark.skipif(not KERNELS_RANGE.exists(), reason="only Linux tells its range")
def test_no_socket_that_asks_for_any_port_gets_it() -> None:
    first, last = map(int, KERNELS_RANGE.read_text().split())
    assert not first <= free_port() <= last


def test_a_port_in_use_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        chosen = iter([listening.getsockname()[1], free])
        monkeypatch.setattr(ports.random, "choice", lambda _: next(chosen))
        assert free_port() == free
