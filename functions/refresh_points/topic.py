"""Alerts by Amazon SNS: to the topic that alarms go to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from accounts import Alert
from pool.alert_message import subject_of, text_of

_SECONDS = 5


class TopicChannel:
    """Publishes alerts to one topic. `client` is boto3's; without it one is made when it is needed."""

    def __init__(self, topic_arn: str, client: Any = None) -> None:
        self._topic_arn = topic_arn
        self._client = client

    async def send(self, alerts: Sequence[Alert], *, more: int) -> str | None:
        """Publish them as one message. Returns the code of a failure."""
        # boto3 blocks.
        return await asyncio.to_thread(self._publish, subject_of(alerts, more), text_of(alerts, more))

    def _publish(self, subject: str, text: str) -> str | None:
        # Half a second of imports, for the few runs that have something to tell. Lambda has boto3.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                # Each try sends anew, so a lost answer may mean the same e-mail twice, and no more than that.
                config = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 2})
                self._client = boto3.client("sns", config=config)
            self._client.publish(TopicArn=self._topic_arn, Subject=subject, Message=text)
        except ClientError as error:
            return str(error.response.get("Error", {}).get("Code", "ClientError"))
        except BotoCoreError as error:
            return type(error).__name__
        return None
