"""Sealing with KMS: bound to account and purpose, of any size that makes sense, and remembered."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from accounts import SealBrokenError, StoreUnavailableError
from accounts._aws import AwsError, as_bytes
from accounts._vault import PlainVault
from accounts._vault_kms import CACHED_VALUES, KmsVault
from tests.accounts.stand_in import Aws


class NotingClient:
    """Passes calls on and notes them."""

    def __init__(self, aws: Aws) -> None:
        self._client = aws.client()
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    async def call(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, payload))
        return await self._client.call(service, operation, payload)


@pytest.fixture
def client(aws: Aws) -> NotingClient:
    return NotingClient(aws)


@pytest.fixture
def vault(aws: Aws, client: NotingClient) -> KmsVault:
    return KmsVault(client, aws.kms_key_id)


def noise(count: int) -> str:
    return random.Random(1).randbytes(count).hex()


async def test_what_is_sealed_shows_nothing_and_is_bound_to_account_and_purpose(aws: Aws, vault, client) -> None:
    values = {"p_b": "cookie", "form_key": "ü"}
    sealed = await vault.seal(values, account_id="acct_1", purpose="credentials")
    assert b"cookie" not in sealed
    [(operation, payload)] = client.calls
    assert (operation, payload["KeyId"]) == ("Encrypt", aws.kms_key_id)
    assert payload["EncryptionContext"] == {"account_id": "acct_1", "purpose": "credentials"}
    stranger = KmsVault(client, aws.kms_key_id)
    assert await stranger.unseal(sealed, account_id="acct_1", purpose="credentials") == values
    for account_id, purpose in (("acct_2", "credentials"), ("acct_1", "session")):
        with pytest.raises(SealBrokenError):
            await stranger.unseal(sealed, account_id=account_id, purpose=purpose)


@pytest.mark.parametrize("packed", [b"no such stream", zlib.compress(b"{"), zlib.compress(b"[1]")])
async def test_what_was_sealed_in_another_form_is_a_failure_of_the_store(aws: Aws, vault, client, packed) -> None:
    context = {"account_id": "acct_1", "purpose": "session"}
    answer = await client.call(
        "kms", "Encrypt", {"KeyId": aws.kms_key_id, "Plaintext": packed, "EncryptionContext": context}
    )
    part = as_bytes(answer["CiphertextBlob"])
    for sealed in (b"", len(part).to_bytes(4, "big") + part):
        with pytest.raises(SealBrokenError) as caught:
            await vault.unseal(sealed, account_id="acct_1", purpose="session")
        assert caught.value.code == "damaged"


async def test_what_was_sealed_or_unsealed_lately_needs_no_call(aws: Aws, vault, client) -> None:
    sealed = await vault.seal({"a": 1}, account_id="acct_1", purpose="session")
    client.calls.clear()
    for _ in range(3):
        assert await vault.unseal(sealed, account_id="acct_1", purpose="session") == {"a": 1}
    assert client.calls == []
    cold = KmsVault(client, aws.kms_key_id)
    for _ in range(3):
        await cold.unseal(sealed, account_id="acct_1", purpose="session")
    assert [operation for operation, _ in client.calls] == ["Decrypt"]


async def test_the_memory_is_bounded_and_forgets_the_oldest(vault, client) -> None:
    first = await vault.seal({"n": 0}, account_id="acct_0", purpose="session")
    for number in range(1, CACHED_VALUES + 1):
        await vault.seal({"n": number}, account_id=f"acct_{number}", purpose="session")
    client.calls.clear()
    assert await vault.unseal(first, account_id="acct_0", purpose="session") == {"n": 0}
    assert [operation for operation, _ in client.calls] == ["Decrypt"]
    assert len(vault._known) == CACHED_VALUES


async def test_what_compresses_below_the_limit_takes_one_call(vault, client) -> None:
    await vault.seal({"bots": {f"bot-{number}": number for number in range(400)}}, account_id="a", purpose="session")
    assert len(client.calls) == 1


async def test_large_values_are_sealed_in_parts_that_cannot_be_swapped(aws: Aws, vault, client) -> None:
    values = {"channel": noise(7_000)}
    sealed = await vault.seal(values, account_id="acct_1", purpose="session")
    contexts = [payload["EncryptionContext"] for _, payload in client.calls]
    assert [context["part"] for context in contexts] == ["1/2", "2/2"]
    cold = KmsVault(client, aws.kms_key_id)
    assert await cold.unseal(sealed, account_id="acct_1", purpose="session") == values
    first_length = 4 + int.from_bytes(sealed[:4], "big")
    first, second = sealed[:first_length], sealed[first_length:]
    for tampered in (second + first, first + first, first):
        with pytest.raises(SealBrokenError):
            await cold.unseal(tampered, account_id="acct_1", purpose="session")


async def test_what_is_too_large_is_refused_before_any_call(vault, client) -> None:
    with pytest.raises(ValueError, match=r"credentials of .* exceed 16384"):
        await vault.seal({"p_b": noise(20_000)}, account_id="a", purpose="credentials")
    assert client.calls == []


async def test_a_key_that_is_not_there(client) -> None:
    vault = KmsVault(client, "11111111-2222-3333-4444-555555555555")
    with pytest.raises(StoreUnavailableError):
        await vault.seal({}, account_id="a", purpose="session")


async def test_the_plain_vault_insists_on_the_same_binding() -> None:
    vault = PlainVault()
    sealed = await vault.seal({"a": 1}, account_id="acct_1", purpose="session")
    assert await vault.unseal(sealed, account_id="acct_1", purpose="session") == {"a": 1}
    for account_id, purpose in (("acct_2", "session"), ("acct_1", "credentials")):
        with pytest.raises(StoreUnavailableError):
            await vault.unseal(sealed, account_id=account_id, purpose=purpose)


async def test_a_check_asks_the_key_both_ways_each_time(vault: KmsVault, client: NotingClient) -> None:
    for _ in range(2):
        await vault.check()
    assert [operation for operation, _ in client.calls] == ["Encrypt", "Decrypt"] * 2
    await PlainVault().check()


@pytest.mark.parametrize("denied", ["Encrypt", "Decrypt"])
async def test_a_check_finds_a_right_that_is_missing(
    aws: Aws, client: NotingClient, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    call = client.call

    async def refuse(service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if operation == denied:
            raise AwsError(operation, "AccessDeniedException")
        return await call(service, operation, payload)

    monkeypatch.setattr(client, "call", refuse)
    with pytest.raises(StoreUnavailableError, match=denied):
        await KmsVault(client, aws.kms_key_id).check()


async def test_a_check_does_not_take_something_else_for_what_it_sealed(
    aws: Aws, client: NotingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = client.call

    async def changed(service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        answer = await call(service, operation, payload)
        return answer | {"Plaintext": b"other"} if operation == "Decrypt" else answer

    monkeypatch.setattr(client, "call", changed)
    with pytest.raises(SealBrokenError):
        await KmsVault(client, aws.kms_key_id).check()
