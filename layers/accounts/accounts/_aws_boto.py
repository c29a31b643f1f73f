"""Calls AWS through botocore: for profiles, single sign-on, roles and proxies. No other module here imports it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    HTTPClientError,
    ReadTimeoutError,
)

from accounts._aws import CONNECTION_FAILED, TIMEOUT, AwsError, clock_offset
from accounts._aws_lean import CONNECT_TIMEOUT_SECONDS, MAX_CALLS_AT_ONCE, READ_TIMEOUT_SECONDS


class BotoExchange:
    """Sends by botocore's low-level clients, which block, and so have a thread for as long as a call lasts.

    A cancelled call is abandoned: its thread goes on to the end of the request, which botocore's timeouts bound.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        # The session reads profile, region and endpoints from the process's own environment; a mapping that differs
        # from it (in tests) can only name region and endpoint.
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        self._environ = environ
        self._session = boto3.session.Session(
            aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=environ.get("AWS_SESSION_TOKEN"),
            region_name=self._region,
        )
        self._clients: dict[str, Any] = {}
        # botocore corrects its own clock for signatures.
        self.clock_offset = 0.0
        self._lock = threading.Lock()
        # Our own: the loop's default one is shared with name resolution and files.
        self._threads = ThreadPoolExecutor(MAX_CALLS_AT_ONCE, thread_name_prefix="aws")

    async def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self.send_blocking, service, operation, payload
        )

    def send_blocking(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """`send`, where no event loop runs or none is to be kept waiting."""
        sent_at = time.time()
        try:
            client = self._client(service)
            sent_at = time.time()
            # The public methods are this call behind a snake-case name each.
            answer: dict[str, Any] = client._make_api_call(operation, dict(payload))
            self._learn_clock(answer, sent_at)
        except ClientError as error:
            response: Any = error.response
            self._learn_clock(response, sent_at)
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = str(response.get("Error", {}).get("Code", "InternalFailure"))
            raise AwsError(operation, code, status=status, response=response) from error
        except (ReadTimeoutError, ConnectTimeoutError) as error:
            raise AwsError(operation, TIMEOUT) from error
        except (HTTPClientError, ConnectionError) as error:
            raise AwsError(operation, CONNECTION_FAILED) from error
        except BotoCoreError as error:
            # No credentials, no region, a parameter that is not in the model: trying again changes nothing.
            raise AwsError(operation, type(error).__name__, status=403) from error
        return answer

    def _learn_clock(self, answer: Mapping[str, Any], sent_at: float) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if (offset := clock_offset(headers.get("date"), sent_at, time.time())) is not None:
            self.clock_offset = offset

    async def connect(self, service: str, number: int) -> None:
        """Nothing: botocore connects when it sends."""

    async def aclose(self) -> None:
        """Close idle connections. Calls under way end by themselves."""
        self._threads.shutdown(wait=False)
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                named = self._environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
                # Retries are ours: one policy for both ways to send.
                config = Config(
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=READ_TIMEOUT_SECONDS,
                    max_pool_connections=MAX_CALLS_AT_ONCE,
                )
                self._clients[service] = self._session.client(
                    service,  # type: ignore[call-overload]
                    config=config,
                    endpoint_url=named or self._environ.get("AWS_ENDPOINT_URL") or None,
                )
            return self._clients[service]
