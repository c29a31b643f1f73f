"""House rules over the deployment: what a review would have to notice every time."""

import re
import subprocess
import sys
from pathlib import Path

from gateway.app import EXPOSED_HEADERS

ARCHITECTURE = {"Ref": "Architecture"}


def statements(role):
    """Every statement of a role; policies behind a condition count as if it held."""
    policies = [policy.get("Fn::If", [None, policy])[1] for policy in role["Properties"]["Policies"]]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def actions(statement):
    action = statement["Action"]
    return [action] if isinstance(action, str) else action


def role_of(resources, function):
    return resources[function["Properties"]["Role"]["Fn::GetAtt"][0]]


def test_the_gateway_streams_through_a_public_url_with_a_literal_auth_type(resources):
    """SAM grants both permissions of a public URL only for the literal; the app checks the API key."""
    url = resources["GatewayFunction"]["Properties"]["FunctionUrlConfig"]
    assert url["AuthType"] == "NONE"
    assert url["InvokeMode"] == "RESPONSE_STREAM"


def test_browsers_may_call_with_any_header_but_never_with_cookies(resources):
    cors = resources["GatewayFunction"]["Properties"]["FunctionUrlConfig"]["Cors"]
    assert cors["AllowMethods"] == ["*"]
    named = {"authorization", "content-type", "x-api-key", "anthropic-version", "anthropic-beta", "x-stainless-lang"}
    assert {"*", *named} <= {*cors["AllowHeaders"]}, "a preflight's `*` does not cover authorization"
    assert "AllowCredentials" not in cors
    assert sorted(cors["ExposeHeaders"]) == sorted(EXPOSED_HEADERS), "pages read the same without a Function URL"
    assert cors["MaxAge"] <= 86400


def test_the_wrapper_is_where_its_layer_puts_it(resources, root):
    wrapper = resources["GatewayFunction"]["Properties"]["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"]
    makefile = (root / "layers/streaming_runtime/Makefile").read_text()
    assert wrapper.startswith("/opt/")
    assert f"$(ARTIFACTS_DIR)/{wrapper.removeprefix('/opt/')}\n" in makefile


def test_the_gateway_has_the_whole_time_that_lambda_gives(resources):
    assert resources["GatewayFunction"]["Properties"]["Timeout"] == 900


def test_each_function_has_exactly_the_layers_it_imports_in_order(functions):
    assert {name: [layer["Ref"] for layer in f["Properties"]["Layers"]] for name, f in functions.items()} == {
        "GatewayFunction": ["StreamingRuntimeLayer", "ReverseLayer", "AccountsLayer", "PoolLayer"],
        "RefreshPointsFunction": ["ReverseLayer", "AccountsLayer", "PoolLayer"],
    }


def test_everything_is_built_for_the_one_architecture_that_is_deployed(template, functions, layers):
    assert template["Globals"]["Function"]["Architectures"] == [ARCHITECTURE]
    for layer in layers.values():
        assert layer["Metadata"]["BuildArchitecture"] == ARCHITECTURE
        assert layer["Properties"]["CompatibleArchitectures"] == [ARCHITECTURE]
    for artefact in [*functions.values(), *layers.values()]:
        assert artefact["Metadata"]["WorkingDirectory"] == {"Fn::Sub": "layers/targets/${Architecture}"}


def test_each_architecture_names_the_wheels_that_fit(template, root):
    tags = {"arm64": "aarch64", "x86_64": "x86_64"}
    assert sorted(template["Parameters"]["Architecture"]["AllowedValues"]) == sorted(tags)
    for architecture, tag in tags.items():
        platforms = (root / "layers/targets" / architecture / "platforms").read_text().split()
        assert platforms
        assert all(platform.startswith("manylinux") and platform.endswith(tag) for platform in platforms)


def test_each_artefact_has_a_makefile_with_its_target(functions, layers, root):
    for name, artefact in {**functions, **layers}.items():
        properties = artefact["Properties"]
        assert artefact["Metadata"]["BuildMethod"] == "makefile"
        source = properties.get("CodeUri") or properties["ContentUri"]
        makefile = root / artefact["Metadata"].get("ContextPath", source) / "Makefile"
        assert f"\nbuild-{name}:\n" in makefile.read_text()


def test_a_change_in_the_code_of_a_layer_is_a_change_in_what_the_build_watches(layers, root):
    packages = {
        "StreamingRuntimeLayer": "streaming_runtime",
        "ReverseLayer": "reverse",
        "AccountsLayer": "accounts",
        "PoolLayer": "pool",
    }
    assert set(layers) == set(packages)
    for name, package in packages.items():
        content = root / layers[name]["Properties"]["ContentUri"]
        assert (
            (content / "__init__.py").exists() if content.name == package == "reverse" else (content / package).is_dir()
        )


def test_each_function_writes_to_a_log_group_of_its_own_that_forgets(resources, functions):
    groups = [function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for function in functions.values()]
    assert len(set(groups)) == len(functions)
    for group, function in zip(groups, functions.values(), strict=True):
        assert resources[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        writes = [s for s in statements(role_of(resources, function)) if actions(s)[0].startswith("logs:")]
        assert [s["Resource"] for s in writes] == [{"Fn::GetAtt": [group, "Arn"]}]


def test_no_role_has_a_wildcard_or_a_managed_policy(resources, functions):
    """X-Ray alone has no resources to name, and it is off unless asked for."""
    for function in functions.values():
        role = role_of(resources, function)
        assert "ManagedPolicyArns" not in role["Properties"]
        for statement in statements(role):
            assert not [action for action in actions(statement) if "*" in action]
            resource = statement["Resource"]
            assert isinstance(resource, dict) or actions(statement)[0].startswith("xray:"), statement["Sid"]
            assert "*" not in str(resource) or resource == "*"


def test_only_the_gateway_may_read_the_admin_key(resources, functions):
    readers = {
        name
        for name, function in functions.items()
        for statement in statements(role_of(resources, function))
        if any(action.startswith("secretsmanager:") for action in actions(statement))
    }
    assert readers == {"GatewayFunction"}


def test_no_role_may_scan_the_table_or_drop_it(resources, functions):
    for function in functions.values():
        allowed = {action for s in statements(role_of(resources, function)) for action in actions(s)}
        assert not allowed & {"dynamodb:Scan", "dynamodb:DeleteTable", "dynamodb:UpdateTable"}


def test_each_function_gets_the_variables_its_settings_read(template, functions):
    shared = set(template["Globals"]["Function"]["Environment"]["Variables"])
    assert shared == {"GATEWAY_TABLE", "GATEWAY_KMS_KEY_ID", "GATEWAY_LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE"}
    assert {name: set(f["Properties"]["Environment"]["Variables"]) for name, f in functions.items()} == {
        "GatewayFunction": {
            *(
                "AWS_LAMBDA_EXEC_WRAPPER",
                "STREAMING_RUNTIME_EXCEPTIONS",
                "STREAMING_RUNTIME_REST_FORM",
                "GATEWAY_ADMIN_SECRET_ID",
                "GATEWAY_METRICS",
                "GATEWAY_POE_CLIENT_ID",
                "GATEWAY_REQUEST_LOG_DAYS",
                "POWERTOOLS_SERVICE_NAME",
            )
        },
        "RefreshPointsFunction": {
            "GATEWAY_ALERT_TOPIC_ARN",
            "GATEWAY_DELETE_CHATS",
            "GATEWAY_METRICS",
            "POWERTOOLS_SERVICE_NAME",
        },
    }


def test_no_secret_and_no_local_address_is_in_the_template(template, root):
    text = (root / "template.yaml").read_text()
    assert not re.search(r"NoEcho|resolve:|sk-|p-b|localhost|127\.0\.0\.1|ENDPOINT_URL|GATEWAY_ADMIN_KEY\b", text)
    named = {name for name in template["Parameters"] if re.search("key|secret|token|cookie|password", name, re.I)}
    assert named == {"ExistingKeyArn"}, "the name of a key, not the key"


def test_the_admin_key_is_generated_and_long(resources):
    generated = resources["AdminSecret"]["Properties"]["GenerateSecretString"]
    assert generated["PasswordLength"] >= 40
    assert "SecretString" not in resources["AdminSecret"]["Properties"]


def test_accounts_and_their_key_survive_the_stack(resources):
    for name in ("AccountsTable", "CredentialsKey"):
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate", (
            "a first deployment that fails leaves nothing"
        )
        assert resources[name]["UpdateReplacePolicy"] == "Retain"
    assert resources["AccountsTable"]["Properties"]["DeletionProtectionEnabled"] is True
    assert resources["CredentialsKey"]["Properties"]["EnableKeyRotation"] is True


def test_the_table_costs_nothing_at_rest_and_can_be_restored(resources):
    table = resources["AccountsTable"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True


def test_the_table_has_its_keys_and_two_sparse_indexes(resources):
    table = resources["AccountsTable"]["Properties"]

    def keys(schema):
        return [(key["AttributeName"], key["KeyType"]) for key in schema["KeySchema"]]

    assert keys(table) == [("pk", "HASH"), ("sk", "RANGE")]
    assert {index["IndexName"]: keys(index) for index in table["GlobalSecondaryIndexes"]} == {
        "selectable": [("sel_pk", "HASH"), ("eligible_at", "RANGE")],
        "due": [("due_pk", "HASH"), ("due_at", "RANGE")],
    }
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    assert types == {"pk": "S", "sk": "S", "sel_pk": "S", "eligible_at": "N", "due_pk": "S", "due_at": "N"}


def test_the_schedule_never_starts_a_job_before_the_last_one_must_have_ended(template, resources):
    job = resources["RefreshPointsFunction"]["Properties"]
    assert job["Events"]["Schedule"]["Properties"]["ScheduleExpression"] == {"Ref": "RefreshSchedule"}
    minutes = re.fullmatch(r"rate\((\d+) minutes\)", template["Parameters"]["RefreshSchedule"]["Default"])
    assert minutes
    assert job["Timeout"] < int(minutes[1]) * 60


def test_the_schedule_has_no_fixed_name_that_two_stacks_would_share(resources):
    schedule = resources["RefreshPointsFunction"]["Properties"]["Events"]["Schedule"]["Properties"]
    assert schedule["OmitName"] is True


def test_a_refresh_that_fails_waits_for_the_next_one(resources):
    job = resources["RefreshPointsFunction"]["Properties"]
    assert job["EventInvokeConfig"]["MaximumRetryAttempts"] == 0
    assert job["Events"]["Schedule"]["Properties"]["RetryPolicy"]["MaximumRetryAttempts"] == 0


def test_the_api_for_sam_local_is_never_deployed_and_nothing_depends_on_it(template, resources):
    assert resources["LocalApi"]["Condition"] == "OnlyForSamLocal"
    assert template["Conditions"]["OnlyForSamLocal"] == {"Fn::Equals": [{"Ref": "AWS::AccountId"}, "never"]}
    others = {name: resource for name, resource in resources.items() if name != "LocalApi"}
    assert "LocalApi" not in str(others)


def test_tracing_is_off_unless_asked_for(template):
    assert template["Parameters"]["Tracing"]["Default"] == "PassThrough"


def test_the_outputs_say_where_it_is_and_how_to_get_in(template):
    outputs = template["Outputs"]
    assert outputs["GatewayUrl"]["Value"] == {"Fn::Sub": "${GatewayFunctionUrl.FunctionUrl}v1"}
    assert "get-secret-value" in outputs["AdminKeyCommand"]["Value"]["Fn::Sub"]
    assert outputs["TableName"]["Value"] == {
        "Fn::If": ["CreatesTable", {"Ref": "AccountsTable"}, {"Ref": "ExistingTableName"}]
    }


def test_cfn_lint_has_nothing_to_say(root):
    command = [Path(sys.executable).with_name("cfn-lint"), "--regions", "eu-central-1", "--", "template.yaml"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_rest_api_streams_every_path_and_is_off_unless_wanted(template):
    api = template["Resources"]["StreamingApi"]
    assert template["Parameters"]["RestApi"]["Default"] == "off" and api["Condition"] == "HasRestApi"
    paths = api["Properties"]["DefinitionBody"]["paths"]
    assert set(paths) == {"/", "/{proxy+}"}
    for path in paths.values():
        integration = path["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
        assert integration["responseTransferMode"] == "STREAM" and integration["timeoutInMillis"] == 900_000
        # Where it is off, SAM CLI would serve its paths in place of those of `LocalApi`.
        condition, uri, otherwise = integration["uri"]["Fn::If"]
        assert (condition, otherwise) == ("HasRestApi", "")
        assert "/2021-11-15/functions/" in uri["Fn::Sub"]
        assert uri["Fn::Sub"].endswith("/response-streaming-invocations")
    permission = template["Resources"]["StreamingApiPermission"]
    assert permission["Condition"] == "HasRestApi"
    assert permission["Properties"]["Principal"] == "apigateway.amazonaws.com"
