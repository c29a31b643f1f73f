"""What the SAM CLI makes of the repository."""

import pytest
import yaml

pytestmark = pytest.mark.sam


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_the_template_is_valid_and_lints_clean(sam, environment):
    done = sam("validate", "--lint", "--config-env", environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_artefact_is_built_without_a_container(built):
    resources = yaml.safe_load(built.read_text())["Resources"]
    artefacts = {
        name: resource["Properties"].get("CodeUri") or resource["Properties"]["ContentUri"]
        for name, resource in resources.items()
        if resource["Type"] in ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")
    }
    assert len(artefacts) == 6
    assert all(any((built.parent / folder).rglob("*.py")) for folder in artefacts.values())
    assert (built.parent / "GatewayFunction/gateway/asgi.py").exists()
    assert (built.parent / "StreamingRuntimeLayer/streaming-runtime").stat().st_mode & 0o111
