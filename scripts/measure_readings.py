"""What a reading of the scheduled job costs in processor time, and what memory of its Lambda function is cheapest.

    python scripts/measure_readings.py [--readings 2000] [--concurrency 25] [--latency-ms 150] [--rounds 3]

The job runs in a process of its own over official accounts; Poe's and AWS's stand-ins are others, behind TLS. What
counts is the processor time of the job's process, per reading, without its start. Lambda gives a function a share of a
core that goes with its memory (1,769 MB for a whole one), so that the time of a run is the processor time by the
share, or the waits by the concurrency if that is more; its price is memory times time.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in (".", "functions", "layers/accounts", "layers/pool")]

import httpx  # noqa: E402

from accounts import AccountKind, open_store  # noqa: E402
from accounts._aws import AwsError  # noqa: E402
from accounts._engine import Engine  # noqa: E402
from local.bench.tls_front import tls_fronts  # noqa: E402
from local.reaper import Reaper  # noqa: E402
from local.service import Service  # noqa: E402
from pool.clients import PoeClients  # noqa: E402
from refresh_points.handler import run  # noqa: E402
from refresh_points.job import Job  # noqa: E402
from refresh_points.journal import Journal  # noqa: E402
from refresh_points.settings import Settings  # noqa: E402

MEMORY_OF_A_CORE_MB = 1_769
# arm64 in us-east-1; the free tier is left out.
DOLLARS_PER_GB_SECOND = 0.0000133334
MEMORIES_MB = (128, 192, 256, 320, 384, 512, 768, 1_024, 1_769)
PER_RUN = 10_000
WARM_UP = 50
KEY = "measured-account-0123456789"
WRITE_SECONDS = 0.02
"""Of a reading's two writes to DynamoDB and their TLS, together, on Lambda."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A run of 10,000 readings with so much memory."""

    memory_mb: int
    seconds: float
    dollars: float


def cost_of(memory_mb: int, cpu_seconds_per_reading: float, *, latency_seconds: float, concurrency: int) -> Cost:
    """What 10,000 readings take and cost."""
    share = min(1.0, memory_mb / MEMORY_OF_A_CORE_MB)
    working = PER_RUN * cpu_seconds_per_reading / share
    waiting = PER_RUN * (latency_seconds + WRITE_SECONDS) / concurrency
    seconds = max(working, waiting)
    return Cost(memory_mb, seconds, seconds * memory_mb / 1_024 * DOLLARS_PER_GB_SECOND)


class _Aws(BaseHTTPRequestHandler):
    """DynamoDB over the engine of the store in memory, and a KMS that seals nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine = Engine()
    lock = Lock()

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["content-length"])))
        operation = self.headers["x-amz-target"].partition(".")[2]
        status, answer = 200, {}
        try:
            if operation in ("Encrypt", "Decrypt"):
                sealed = payload.get("Plaintext") or payload["CiphertextBlob"]
                answer = {"CiphertextBlob": sealed, "Plaintext": sealed}
            else:
                with self.lock:
                    answer = self.engine.call(operation, payload)
        except AwsError as error:
            status, answer = 400, {"__type": error.code, **(error.response or {})}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _aws() -> Iterator[dict[str, str]]:
    """AWS's stand-in in threads of this process; its variables."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Aws)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}
    try:
        yield keys | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def measure(readings: int, concurrency: int, latency_seconds: float) -> dict[str, float]:
    """Start the stand-ins, fill the table, and have another process read. Returns what it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:4])}
    _Aws.engine = Engine()
    reaper = Reaper()
    command = [sys.executable, "-m", "local.poe_official", "--port", "0", "--api-key", KEY]
    poe = await Service.start("poe_official", command, environment=environment, reaper=reaper)
    try:
        address = next(word for word in poe.ready_line.split() if word.startswith("http")).rstrip("/.,")
        await _slow_down(address, latency_seconds)
        with TemporaryDirectory() as scratch, _aws() as aws:
            given = {
                **environment,
                **aws,
                "GATEWAY_TABLE": "t",
                "GATEWAY_KMS_KEY_ID": "k",
                "GATEWAY_POE_OFFICIAL_BASE_URL": address,
                "GATEWAY_POE_WEB_BASE_URL": address,
                "GATEWAY_REFRESH_CONCURRENCY": str(concurrency),
            }
            await _fill(given, WARM_UP + readings)
            async with tls_fronts(given, Path(scratch)) as fronts:
                trusted = dict.fromkeys(("SSL_CERT_FILE", "AWS_CA_BUNDLE"), str(fronts.bundle))
                return await _read_apart({**given, **fronts.variables, **trusted})
    finally:
        await poe.stop()
        reaper.close()


async def _slow_down(address: str, latency_seconds: float) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        changes = {"latency_seconds": latency_seconds, "requests_per_minute": 0}
        (await http.patch(f"{address}/_sim/settings", json=changes)).raise_for_status()


async def _fill(environment: dict[str, str], count: int) -> None:
    os.environ.update(environment)
    store = open_store(table=environment["GATEWAY_TABLE"], kms_key_id=environment["GATEWAY_KMS_KEY_ID"])
    places = asyncio.Semaphore(8)

    async def add(number: int) -> None:
        async with places:
            # One account at Poe serves for all: what is measured does not depend on whose balance it is.
            await store.put_account(kind=AccountKind.OFFICIAL, label=f"a{number}", credentials={"api_key": KEY})

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(add(number))
    finally:
        await store.aclose()


async def _read_apart(environment: dict[str, str]) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--child", env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit("the job failed")
    return dict(json.loads(output))


async def _read() -> None:
    """The process that is measured: reads some accounts to be warm, then all others."""
    settings = Settings.from_env(os.environ)
    store = open_store(table=settings.table, kms_key_id=settings.kms_key_id)
    clients = PoeClients(settings.poe_config, share_connections=True)
    journal = Journal(stream=io.StringIO())

    async def job(event: dict[str, object]) -> int:
        answer = await run(
            Job.from_event(event),
            settings=settings,
            seconds=3_600,
            store=store,
            make_client=clients.make,
            journal=journal,
        )
        return int(answer["succeeded"])

    try:
        page = await store.list_accounts(limit=WARM_UP)
        await job({"account_ids": [account.id for account in page.items]})
        before, began = _cpu_seconds(), time.perf_counter()
        readings = await job({})
        found = {"readings": readings, "cpu": _cpu_seconds() - before, "seconds": time.perf_counter() - began}
    finally:
        await clients.aclose()
        await store.aclose()
    found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    sys.stdout.write(json.dumps(found))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=2_000)
    parser.add_argument("--concurrency", type=int, default=25)
    parser.add_argument("--latency-ms", type=float, default=150.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        asyncio.run(_read())
        return
    latency = options.latency_ms / 1_000
    rounds = [asyncio.run(measure(options.readings, options.concurrency, latency)) for _ in range(options.rounds)]
    each = sorted(one["cpu"] / one["readings"] for one in rounds)
    middle = each[len(each) // 2]
    memory = max(one["megabytes"] for one in rounds)
    print(f"{options.readings} readings, {options.concurrency} at once, {options.latency_ms:.0f} ms each:")
    spread = f"{each[0] * 1e3:.2f} to {each[-1] * 1e3:.2f}"
    print(f"{middle * 1e3:.2f} ({spread}) ms of processor time per reading, {memory:.0f} MB at most\n")
    print(f"| memory | share of a core | {PER_RUN:,} readings take | and cost |\n|--:|--:|--:|--:|")
    for size in MEMORIES_MB:
        cost = cost_of(size, middle, latency_seconds=latency, concurrency=options.concurrency)
        print(f"| {size} MB | {size / MEMORY_OF_A_CORE_MB:.2f} | {cost.seconds:.0f} s | ${cost.dollars:.5f} |")


if __name__ == "__main__":
    main()
