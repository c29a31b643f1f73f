"""Creates the tables, keys and secrets that the template defines."""

from __future__ import annotations

import secrets
import string
from typing import Any

from local.aws import ACCOUNT_ID, REGION
from local.aws.api import LocalApi
from local.template import Template

STACK_NAME = "poe-gateway"
_TABLE_FIELDS = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")

References = dict[str, str]


def create_resources(template: Template, api: LocalApi) -> References:
    """Create everything, and return what `Ref` and `GetAtt` mean for it: `AccountsTable`, `AccountsTable.Arn`, …

    Raises `CallError`, `TemplateError`.
    """
    references = {
        "AWS::AccountId": ACCOUNT_ID,
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::StackName": STACK_NAME,
    }
    template = template.with_references(references)
    for name, properties in template.resources("AWS::DynamoDB::Table").items():
        references |= _create_table(api, name, template.resolve(properties))
    for name, properties in template.resources("AWS::KMS::Key").items():
        key = api.call("kms", "CreateKey", Description=template.resolve(properties).get("Description", ""))
        references |= {name: key["KeyMetadata"]["KeyId"], f"{name}.Arn": key["KeyMetadata"]["Arn"]}
    for name, properties in template.resources("AWS::SecretsManager::Secret").items():
        references |= _create_secret(api, name, template.resolve(properties))
    return references


def _create_table(api: LocalApi, name: str, properties: dict[str, Any]) -> References:
    table = properties.get("TableName", f"{STACK_NAME}-{name}")
    fields = {field: properties[field] for field in _TABLE_FIELDS if field in properties}
    created = api.call("dynamodb", "CreateTable", TableName=table, **fields)
    # A call of its own, in AWS's API as here.
    if expiry := properties.get("TimeToLiveSpecification"):
        api.call("dynamodb", "UpdateTimeToLive", TableName=table, TimeToLiveSpecification=expiry)
    return {name: table, f"{name}.Arn": created["TableDescription"]["TableArn"]}


def _create_secret(api: LocalApi, name: str, properties: dict[str, Any]) -> References:
    generated = properties.get("GenerateSecretString", {})
    alphabet = string.ascii_letters + string.digits
    if not generated.get("ExcludePunctuation"):
        alphabet += "!#$%&()*+,-.:;<=>?@[]^_{|}~"
    value = "".join(secrets.choice(alphabet) for _ in range(generated.get("PasswordLength", 32)))
    created = api.call(
        "secretsmanager",
        "CreateSecret",
        Name=properties.get("Name", f"{STACK_NAME}-{name}"),
        SecretString=value,
        ClientRequestToken=secrets.token_hex(16),
    )
    return {name: created["ARN"]}
