"""Scan template.yaml for security faults, as CloudFormation will see it: translated by SAM's own translator.

Every finding has to be gone, or accepted in `ACCEPTED` with the reason. A reason that no finding needs any more is a
fault as well.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pycfmodel
from cfripper.config.config import Config
from cfripper.model.result import Failure
from cfripper.rule_processor import RuleProcessor
from cfripper.rules import DEFAULT_RULES
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[1]
REGION = "us-east-1"
PARAMETERS = {"Architecture": "arm64", "AlarmEmail": "owner@example.com", "GatewayConcurrency": "10", "RestApi": "on"}
"""With every optional part that can be switched on, so that it is scanned."""
ACCEPTED = {
    ("GenericResourceWildcardPolicyRule", "CredentialsKey"): (
        "A key policy that gives the account's root kms:* leaves the decision to IAM, as AWS's own default does. "
        "Without it nobody could manage the key."
    ),
}


class NoManagedPolicies:
    """Tells the translator of no managed policies: the template uses none."""

    def load(self) -> dict[str, str]:
        return {}


def translate(path: Path, parameters: dict[str, str]) -> dict[str, Any]:
    """The template as plain CloudFormation. Code is taken to be in a bucket, as after `sam package`."""
    template = yaml_parse(path.read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource["Properties"]:
                resource["Properties"][name] = "s3://code/artefact.zip"
    # The translator takes the partition from boto3's default region.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    translated: dict[str, Any] = json.loads(json.dumps(transform(template, parameters, NoManagedPolicies())))
    return translated


def findings(translated: dict[str, Any], parameters: dict[str, str]) -> list[Failure]:
    """What the scanner finds."""
    config = Config(stack_name="poe-gateway", rules=list(DEFAULT_RULES))
    model = pycfmodel.parse(translated).resolve(parameters)
    rules = [rule(config) for rule in DEFAULT_RULES.values()]
    result = RuleProcessor(*rules).process_cf_template(model, config)
    if result.exceptions:
        raise result.exceptions[0]
    found: list[Failure] = result.failures
    return found


def main() -> int:
    """Print what is wrong. Returns the exit status."""
    translated = translate(ROOT / "template.yaml", PARAMETERS)
    left = dict(ACCEPTED)
    wrong = []
    for found in findings(translated, PARAMETERS):
        for resource in found.resource_ids or {""}:
            if left.pop((found.rule, resource), None) is None and (found.rule, resource) not in ACCEPTED:
                wrong.append(f"{resource}: {found.rule}: {found.reason}")
    wrong += [f"{resource}: {rule} is accepted but no longer found" for rule, resource in left]
    for line in wrong:
        print(line)
    return int(bool(wrong))


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # the scanner remarks on everything that it has no class for
    sys.exit(main())
