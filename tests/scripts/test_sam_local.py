"""What the functions in containers are given of a local run."""

import asyncio
from pathlib import Path

import pytest

from scripts import sam_local

VARIABLES = {
    "OPENAI_API_KEY": "sk-local",
    "OPENAI_BASE_URL": "http://127.0.0.1:8000/v1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
    "AWS_SECRET_ACCESS_KEY": "local-secret",
    "GATEWAY_ADMIN_KEY": "admin",
    "GATEWAY_TABLE": "accounts",
    "GATEWAY_POE_WEB_BASE_URL": "http://localhost:9000/web?a=b",
}


def test_the_file_of_a_run_is_read_as_a_shell_would():
    text = "# a comment\nexport A='two words'\nB=plain # why\nC=\"a=b\"\n\nEMPTY=\n"
    assert sam_local.read_environment(text) == {"A": "two words", "B": "plain", "C": "a=b", "EMPTY": ""}


def test_functions_get_their_own_settings_and_reach_the_stand_ins_by_another_address():
    assert sam_local.function_variables(VARIABLES, "172.17.0.1") == {
        "AWS_ENDPOINT_URL": "http://172.17.0.1:5000",
        "GATEWAY_ADMIN_KEY": "admin",
        "GATEWAY_TABLE": "accounts",
        "GATEWAY_POE_WEB_BASE_URL": "http://172.17.0.1:9000/web?a=b",
    }


@pytest.mark.parametrize(
    "value", ["https://poe.com", "accounts", "http://10.0.0.1:80", "arn:aws:kms:eu:1:key/127.0.0.1"]
)
def test_only_loopback_addresses_are_replaced(value):
    assert sam_local.at_host(value, "172.17.0.1") == value


def test_only_ports_that_the_functions_speak_to_are_relayed():
    assert sam_local.loopback_ports(VARIABLES) == {5000, 9000}


def test_the_local_template_declares_the_variables_without_their_values():
    function = {"Properties": {"Environment": {"Variables": {"GATEWAY_ADMIN_SECRET_ID": "s", "OTHER": "o"}}}}
    built = {
        "Globals": {"Function": {"Environment": {"Variables": {"GATEWAY_TABLE": {"Ref": "AccountsTable"}}}}},
        "Resources": {"GatewayFunction": function},
    }
    local = sam_local.local_template(built, {"GATEWAY_TABLE": "accounts", "GATEWAY_ADMIN_KEY": "admin"})
    assert local["Globals"]["Function"]["Environment"]["Variables"] == {
        "GATEWAY_TABLE": {"Ref": "AccountsTable"},
        "GATEWAY_ADMIN_KEY": "",
    }
    assert local["Resources"]["GatewayFunction"]["Properties"]["Environment"]["Variables"] == {"OTHER": "o"}


def test_sam_never_sees_the_credentials_of_the_user():
    mine = {"PATH": "/bin", "AWS_PROFILE": "work", "AWS_ACCESS_KEY_ID": "mine", "AWS_SESSION_TOKEN": "mine"}
    environment = sam_local.sam_environment(mine, VARIABLES)
    assert "mine" not in environment.values()
    assert "AWS_PROFILE" not in environment
    assert environment["AWS_SECRET_ACCESS_KEY"] == "local-secret"
    assert environment["PATH"] == "/bin"


async def test_a_relay_carries_both_ways_and_ends_when_either_side_does():
    async def shout(reader, writer):
        writer.write((await reader.read()).upper())
        await writer.drain()
        writer.close()

    inner = await asyncio.start_server(shout, "127.0.0.1", 0)
    outer = await asyncio.start_server(sam_local.relay_to(inner.sockets[0].getsockname()[1]), "127.0.0.1", 0)
    async with inner, outer, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*outer.sockets[0].getsockname())
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b"HELLO"
        writer.close()
        await writer.wait_closed()


async def test_a_relay_to_nobody_closes_at_once(unused_tcp_port):
    outer = await asyncio.start_server(sam_local.relay_to(unused_tcp_port), "127.0.0.1", 0)
    async with outer, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*outer.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


def test_without_a_run_it_says_what_to_start(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["sam_local.py", "--environment", str(tmp_path / "run.env")])
    with pytest.raises(SystemExit, match="start `make run` in another terminal first"):
        sam_local.main()
    assert not list(Path(tmp_path).iterdir())
