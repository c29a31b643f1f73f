"""TLS in front of the stand-ins, which speak plain HTTP: as on AWS and at Poe, a first connection costs a handshake."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.hashed_certificates import write_hashed

# What the sandbox reaches by TLS, with the scheme of each.
_WEB = "GATEWAY_POE_WEB_BASE_URL"
_ADDRESSES = ("AWS_ENDPOINT_URL", "GATEWAY_POE_OFFICIAL_BASE_URL", _WEB)
_CHANNEL = "GATEWAY_POE_WEB_CHANNEL_URL"


@dataclass(frozen=True, slots=True)
class Fronts:
    """Addresses by variable, and the certificates to trust: certifi's list and the fronts' own, in both forms."""

    variables: Mapping[str, str]
    bundle: Path
    hashed: Path


@asynccontextmanager
async def tls_fronts(variables: Mapping[str, str], scratch: Path) -> AsyncIterator[Fronts]:
    """Serve each of the stand-ins' addresses by TLS on another port, too."""
    chain, key = make_certificate(scratch)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    bundle = _write_bundle(chain, scratch)
    write_hashed(bundle, scratch / "hashed")
    async with AsyncExitStack() as stack:
        replaced: dict[str, str] = {}
        ports: dict[str, int] = {}
        for name in _ADDRESSES:
            address = urlsplit(variables[name])
            if address.netloc not in ports:
                front = _Front(address.hostname or "", address.port or 0)
                server = await asyncio.start_server(front.converse, "127.0.0.1", 0, ssl=context)
                stack.push_async_callback(front.aclose)
                stack.callback(server.close)
                ports[address.netloc] = server.sockets[0].getsockname()[1]
            replaced[name] = f"https://127.0.0.1:{ports[address.netloc]}{address.path}"
        # The web simulator serves its channel, too, wherever its settings say that it is.
        replaced[_CHANNEL] = replaced[_WEB].replace("https", "wss", 1)
        yield Fronts(replaced, bundle, scratch / "hashed")


def _write_bundle(chain: Path, folder: Path) -> Path:
    """certifi's list and the fronts' own certificate in one file."""
    bundle = folder / "bundle.pem"
    bundle.write_text(Path(certifi.where()).read_text(encoding="utf-8") + chain.read_text(encoding="ascii"), "utf-8")
    return bundle


class _Front:
    """Passes bytes on, both ways."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._tasks: set[asyncio.Task[None]] = set()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        inner_reader, inner_writer = await asyncio.open_connection(self._host, self._port)
        try:
            await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))
        finally:
            inner_writer.close()
            writer.close()

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=24))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "bench-chain.pem", folder / "bench-key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private
