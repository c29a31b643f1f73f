"""The package from outside: its names, and what importing and opening it loads."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import types

import pytest

import accounts
from accounts import AccountKind, AccountStore, InMemoryAccountStore
from accounts._dynamodb import DynamoDBAccountStore


def test_the_public_names_are_exact() -> None:
    public = {name for name, value in vars(accounts).items() if not name.startswith("_")}
    submodules = {name for name in public if isinstance(getattr(accounts, name), types.ModuleType)}
    loaded_late = {"InMemoryAccountStore"}
    assert public - submodules - {"Any", "TYPE_CHECKING"} | loaded_late == set(accounts.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        _ = accounts.Other
    assert accounts.__all__ == sorted(accounts.__all__, key=_ruff_order)


def _ruff_order(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_both_stores_have_every_method_of_the_contract() -> None:
    wanted = {name for name in dir(AccountStore) if not name.startswith("_")}
    for store in (InMemoryAccountStore, DynamoDBAccountStore):
        assert wanted <= set(dir(store))


def test_a_lambda_sandbox_opens_the_store_without_botocore() -> None:
    """Loading it would cost the cold start several hundred milliseconds."""
    code = (
        "import sys; from accounts import open_store; "
        "open_store(table='t', kms_key_id='k', environ={'AWS_REGION': 'r', 'AWS_ACCESS_KEY_ID': 'a', "
        "'AWS_SECRET_ACCESS_KEY': 's'}); "
        "names = {name.partition('.')[0] for name in sys.modules} & {'boto3', 'botocore', 'urllib3'}; "
        "print(sorted(names | ({'accounts._memory'} & set(sys.modules))))"
    )
    paths = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    ran = subprocess.run([sys.executable, "-c", code], env=paths, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", AccountKind)
def test_every_kind_of_account_says_what_it_can_do(kind: AccountKind) -> None:
    assert all(isinstance(getattr(kind.traits, field.name), bool) for field in dataclasses.fields(kind.traits))
