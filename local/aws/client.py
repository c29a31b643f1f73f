"""The process that stands in for AWS, as the local stack owns it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from local.aws import COUNTERS_PATH, REGION
from local.reaper import Reaper
from local.service import Service


class LocalAws:
    """DynamoDB, KMS and Secrets Manager at `endpoint_url`, with what the template defines already there."""

    def __init__(self, service: Service) -> None:
        ready = json.loads(service.ready_line)
        self.endpoint_url: str = ready["endpoint_url"]
        self.references: Mapping[str, str] = ready["references"]
        """What `Ref` and `GetAtt` of the template mean here."""
        self.service = service

    @classmethod
    async def start(cls, *, template: Path, state: Path | None, environment: Mapping[str, str], reaper: Reaper) -> Self:
        """Start, restore the state if there is one, create the rest. Raises `ServiceError`."""
        command = [sys.executable, "-m", "local.aws.server", "--template", str(template)]
        if state is not None:
            command += ["--state", str(state)]
        return cls(await Service.start("AWS's stand-in", command, environment=environment, reaper=reaper))

    @property
    def environment(self) -> dict[str, str]:
        """What any AWS SDK needs to talk to it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    async def read_secret(self, name: str) -> str:
        """The secret with this logical id."""
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.post(
                self.endpoint_url,
                headers={
                    "X-Amz-Target": "secretsmanager.GetSecretValue",
                    "Content-Type": "application/x-amz-json-1.1",
                    "Authorization": f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/secretsmanager/aws4_request",
                },
                json={"SecretId": self.references[name]},
            )
        return str(reply.raise_for_status().json()["SecretString"])

    async def count_calls(self) -> dict[str, int]:
        """How often each action was called since the start, e.g. `dynamodb.PutItem`."""
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.get(self.endpoint_url + COUNTERS_PATH)
        return dict(reply.raise_for_status().json())

    async def stop(self) -> None:
        """Write the state a last time and end the process."""
        await self.service.stop()
