"""Serve the built functions with `sam local start-api` beside a running `make run`, with its stand-ins behind them.

Three things need help. SAM CLI passes a container only the environment variables that the template declares, so a copy
of the built template declares the local ones too; the deployed template stays free of them. Their values, the admin key
among them, go through a private file that is removed at the end. And on Linux a container cannot reach the loopback
interface that the stand-ins listen on, so each of their ports is relayed on the address of the engine's bridge.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from local.run_file import StaleRunFileError, check_run  # noqa: E402

LOOPBACK = ("127.0.0.1", "localhost")
HOST_FROM_CONTAINER = "host.docker.internal"
LOCAL_ONLY = ("AWS_ENDPOINT_URL", "GATEWAY_ADMIN_KEY", "GATEWAY_POE_")
"""Names, or beginnings of names, that no deployment sets."""
RELAY_BUFFER_BYTES = 65536


def main() -> None:
    """Parse the arguments, run until `sam` ends or a signal arrives, and exit with the status of `sam`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--environment", type=Path, default=Path(".local/run.env"), help="written by `make run`")
    parser.add_argument("--template", type=Path, default=Path(".aws-sam/local/template.yaml"), help="a built template")
    parser.add_argument("sam", nargs="*", help="a `sam local` command and its options; start-api if none", default=[])
    arguments = parser.parse_args()
    if not arguments.environment.is_file():
        sys.exit(f"No {arguments.environment}: start `make run` in another terminal first, and leave it running.")
    try:
        check_run(arguments.environment)
    except StaleRunFileError as error:
        sys.exit(str(error))
    command = arguments.sam or ["start-api", "--port", str(arguments.port), "--warm-containers", "LAZY"]
    variables = read_environment(arguments.environment.read_text())
    built = yaml.safe_load(arguments.template.read_text())
    # Beside the built one, because its paths to the artefacts are relative.
    local = arguments.template.with_name("template.local.yaml")
    sys.exit(asyncio.run(serve(variables, built, local, command)))


def read_environment(text: str) -> dict[str, str]:
    """Read the assignments of a shell file, `export` or not; everything else in it is ignored."""
    words = shlex.split(text, comments=True)
    return dict(word.split("=", 1) for word in words if word.partition("=")[0].isidentifier() and "=" in word)


def function_variables(variables: Mapping[str, str], host: str) -> dict[str, str]:
    """Choose what the functions get, with the loopback addresses replaced by `host`."""
    chosen = {name: value for name, value in variables.items() if name.startswith(("GATEWAY_", *LOCAL_ONLY))}
    return {name: at_host(value, host) for name, value in chosen.items()}


def at_host(value: str, host: str) -> str:
    """Replace the host of `value` if it is a URL on the loopback interface."""
    url = urlsplit(value)
    if url.scheme and url.hostname in LOOPBACK and url.port:
        return url._replace(netloc=f"{host}:{url.port}").geturl()
    return value


def loopback_ports(variables: Mapping[str, str]) -> set[int]:
    """Collect the ports of the stand-ins that the functions speak to."""
    urls = [urlsplit(value) for value in function_variables(variables, LOOPBACK[0]).values() if "://" in value]
    return {url.port for url in urls if url.hostname in LOOPBACK and url.port}


def local_template(built: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Declare the variables for every function, the new ones empty: their values stay out of the file."""
    declared = built["Globals"]["Function"]["Environment"]["Variables"]
    declared.update({name: declared.get(name, "") for name in variables})
    if "GATEWAY_ADMIN_KEY" in variables:
        own = built["Resources"]["GatewayFunction"]["Properties"]["Environment"]["Variables"]
        own.pop("GATEWAY_ADMIN_SECRET_ID", None)  # the key itself stands in for the secret
    return built


async def serve(variables: Mapping[str, str], built: dict[str, Any], local: Path, command: list[str]) -> int:
    """Run `sam local` with relays beside it and return its exit status; SIGINT and SIGTERM end it in order."""
    host = HOST_FROM_CONTAINER if sys.platform != "linux" else await bridge_address()
    chosen = function_variables(variables, host)
    async with contextlib.AsyncExitStack() as stack:
        private = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sam-local-")))
        values = private / "variables.json"
        values.write_text(json.dumps({"Parameters": chosen}))
        local.write_text(yaml.safe_dump(local_template(built, chosen)))  # noqa: ASYNC240 - nothing else runs yet
        if host != HOST_FROM_CONTAINER:
            for port in loopback_ports(variables):
                await stack.enter_async_context(await asyncio.start_server(relay_to(port), host, port))
        options = ["--template", str(local), "--env-vars", str(values)]
        options += ["--parameter-overrides", f"Architecture={machine()}"]
        if await image_is_here():
            options.append("--skip-pull-image")
        process = await asyncio.create_subprocess_exec(
            *["sam", "local", command[0], *options, *command[1:]],
            env=sam_environment(os.environ, variables),
            start_new_session=True,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, process)
        return await process.wait()


def end(process: asyncio.subprocess.Process) -> None:
    """Ask for an orderly end, in which `sam local` removes its containers."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


def sam_environment(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Give `sam` the stand-ins' credentials, never the user's own, because it hands them on to the functions."""
    others = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
    stand_in = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}
    chosen = {name: variables.get(name, value) for name, value in stand_in.items()}
    return {**others, **chosen, "AWS_DEFAULT_REGION": chosen["AWS_REGION"], "SAM_CLI_TELEMETRY": "0"}


def relay_to(port: int) -> Any:
    """Make a connection handler that relays to `port` on the loopback interface, both ways, until either side ends."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK[0], port)
        except OSError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(copy(reader, inner_writer))
                group.create_task(copy(inner_reader, writer))
        finally:
            writer.close()
            inner_writer.close()

    return relay


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end of the input, then end the output; a connection that breaks off is an end like any other."""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(RELAY_BUFFER_BYTES):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def bridge_address() -> str:
    """Ask the container engine which address of this machine its containers can reach."""
    answer = await docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    if not answer:
        sys.exit("No container engine answers here; `sam local` needs one (Docker, Podman or Finch).")
    network = json.loads(answer)[0]
    # Some engines do not tell the gateway of their own bridge; it is the first address then.
    return str(network.get("Gateway") or next(ipaddress.ip_network(network["Subnet"]).hosts()))


async def image_is_here() -> bool:
    """Tell whether the base image need not be pulled."""
    return bool(await docker("images", "--quiet", f"public.ecr.aws/lambda/python:3.13-{machine()}"))


def machine() -> str:
    """Name this machine's architecture as Lambda does."""
    return "arm64" if os.uname().machine in ("arm64", "aarch64") else "x86_64"


async def docker(*arguments: str) -> str:
    """Run the engine's command line; an empty string if there is none or it fails."""
    if shutil.which("docker") is None:
        return ""
    process = await asyncio.create_subprocess_exec("docker", *arguments, stdout=-1, stderr=-3)
    output, _ = await process.communicate()
    return output.decode().strip() if process.returncode == 0 else ""


if __name__ == "__main__":
    main()
