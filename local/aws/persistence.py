"""Saves what moto keeps in memory only (table items, key material, secrets) to a JSON file with mode 600.

Everything is kept under its logical id in the template, so a changed schema meets the old items. No API gives out key
material, and what was encrypted with a lost key is lost: for that, and only for that, this module reaches into moto's
KMS backend. The private surface it leans on: `kms_backends[account][region].keys[id]`, with `id`, `arn` and
`key_material` (seen in moto 5.2).
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.kms.models import kms_backends

from local.aws import ACCOUNT_ID, REGION
from local.aws.api import LocalApi
from local.aws.resources import References
from local.files import replace_privately
from local.template import Template

_VERSION = 1
_BATCH = 25
"""Items per BatchWriteItem, its limit."""


class StateError(Exception):
    """The state file can't be used; the message says why."""


def take_snapshot(template: Template, api: LocalApi, references: References) -> dict[str, Any]:
    """Everything worth keeping. Items past their TTL are left out: DynamoDB would have deleted them."""
    keys = kms_backends[ACCOUNT_ID][REGION].keys
    return {
        "version": _VERSION,
        "tables": {
            name: list(_live_items(api, references[name], time.time()))
            for name in template.resources("AWS::DynamoDB::Table")
        },
        "keys": {
            name: {"id": references[name], "material": base64.b64encode(keys[references[name]].key_material).decode()}
            for name in template.resources("AWS::KMS::Key")
        },
        "secrets": {
            name: api.call("secretsmanager", "GetSecretValue", SecretId=references[name])["SecretString"]
            for name in template.resources("AWS::SecretsManager::Secret")
        },
    }


def restore_snapshot(snapshot: dict[str, Any], api: LocalApi, references: References) -> References:
    """Put a snapshot into freshly created resources, and return the references as they are now.

    Keys get their old ids back, because ciphertexts name them. Raises `StateError`.
    """
    try:
        if snapshot["version"] != _VERSION:
            raise StateError(f"it is of version {snapshot['version']}, and this program reads version {_VERSION}")
        for name, items in snapshot["tables"].items():
            if name in references:
                _put_items(api, references[name], items)
        for name, value in snapshot["secrets"].items():
            if name in references:
                _put_secret(api, references[name], value)
        for name, key in snapshot["keys"].items():
            if name in references:
                references = _give_identity(references, name, key["id"], base64.b64decode(key["material"]))
    except StateError:
        raise
    except Exception as error:  # a damaged item brings moto to fail in any way
        raise StateError(f"it is not what this program writes ({type(error).__name__})") from error
    return references


def read_state(path: Path) -> dict[str, Any] | None:
    """The snapshot in a file; `None` if there is none. Raises `StateError`."""
    try:
        snapshot = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"it can't be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise StateError("it is not JSON") from error
    if not isinstance(snapshot, dict):
        raise StateError("it is not a JSON object")
    return snapshot


def write_state(path: Path, snapshot: dict[str, Any]) -> None:
    """Replace the file. Raises `OSError`."""
    replace_privately(path, json.dumps(snapshot, separators=(",", ":")).encode())


def _live_items(api: LocalApi, table: str, now: float) -> Iterator[dict[str, Any]]:
    expiry = api.call("dynamodb", "DescribeTimeToLive", TableName=table)["TimeToLiveDescription"].get("AttributeName")
    start: dict[str, Any] = {}
    while True:
        page = api.call("dynamodb", "Scan", TableName=table, **start)
        for item in page["Items"]:
            # moto deletes nothing by its TTL.
            if expiry not in item or float(item[expiry]["N"]) > now:
                yield item
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _put_items(api: LocalApi, table: str, items: list[dict[str, Any]]) -> None:
    for start in range(0, len(items), _BATCH):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + _BATCH]]
        api.call("dynamodb", "BatchWriteItem", RequestItems={table: requests})


def _put_secret(api: LocalApi, arn: str, value: str) -> None:
    token = secrets.token_hex(16)
    api.call("secretsmanager", "PutSecretValue", SecretId=arn, SecretString=value, ClientRequestToken=token)


def _give_identity(references: References, name: str, key_id: str, material: bytes) -> References:
    keys = kms_backends[ACCOUNT_ID][REGION].keys
    fresh_id = references[name]
    key = keys.pop(fresh_id)
    key.id, key.arn, key.key_material = key_id, key.arn.replace(fresh_id, key_id), material
    keys[key_id] = key
    return {**references, name: key.id, f"{name}.Arn": key.arn}
