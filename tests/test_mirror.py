"""Every module has a test file of its name, or is listed here with the file that tests it and the reason."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
# Folders of packages, and the folders of their tests.
PACKAGES = {
    "lazy_dataclasses": "lazy_dataclasses",
    "http_connections": "http_connections",
    "reverse": "reverse",
    "cli/poegw": "cli",
    "local": "local",
    "functions/gateway": "gateway",
    "functions/refresh_points": "refresh_points",
    "layers/accounts/accounts": "accounts",
    "layers/pool/pool": "pool",
    "layers/streaming_runtime/streaming_runtime": "streaming_runtime",
}
THROUGH_THE_SOCKET = "a part of a server, which only shows what it does when it is called over its socket"
THROUGH_THE_SURFACE = "a part of a surface, tested by requests to the surface"
CONTRACT = "one side of a contract that several implementations pass"
DECLARATIONS = "declarations without behaviour; whoever uses them tests them"
COMMAND = "a command, tested as a process of its own"
PART = "a part of the module that the test is named for"

# Modules by path below `tests/`, the file or folder that tests them, and why there. A pattern covers a folder whose
# modules are parts of one thing.
ELSEWHERE = (
    # The stand-ins: servers.
    ("local/poe_official/*.py", "local/poe_official/test_simulator.py", THROUGH_THE_SOCKET),
    ("local/poe_web/operations/*.py", "local/poe_web/test_operations.py", THROUGH_THE_SOCKET),
    ("local/poe_web/accounts.py", "local/poe_web/test_state.py", THROUGH_THE_SOCKET),
    ("local/poe_web/application.py", "local/poe_web/test_graphql.py", THROUGH_THE_SOCKET),
    ("local/poe_web/bots.py", "local/poe_web/test_operations.py", THROUGH_THE_SOCKET),
    ("local/poe_web/catalogue.py", "local/poe_web/test_graphql.py", DECLARATIONS),
    ("local/poe_web/channel.py", "local/poe_web/test_updates.py", THROUGH_THE_SOCKET),
    ("local/poe_web/delivery.py", "local/poe_web/test_messages.py", THROUGH_THE_SOCKET),
    ("local/poe_web/media.py", "local/poe_web/test_answers.py", PART),
    ("local/poe_web/foreign_frames.py", "local/poe_web/test_stream_faults.py", PART),
    ("local/poe_web/plan.py", "local/poe_web/test_stream_faults.py", PART),
    ("local/poe_web/relay.py", "local/poe_web/test_operations.py", THROUGH_THE_SOCKET),
    ("local/poe_web/signing.py", "local/poe_web/test_graphql.py", THROUGH_THE_SOCKET),
    ("local/poe_web/simulation.py", "local/poe_web/test_control.py", THROUGH_THE_SOCKET),
    ("local/poe_web/simulator.py", "local/poe_web/test_control.py", THROUGH_THE_SOCKET),
    ("local/poe_web/world.py", "local/poe_web/test_state.py", PART),
    ("local/poe_web/__main__.py", "local/poe_web/test_command.py", COMMAND),
    ("local/aws/*.py", "local/aws/test_server.py", "parts of the stand-in for AWS, a process of its own"),
    ("local/bench/*.py", "local/bench/test_bench.py", "programs that measure; what they print is checked"),
    ("local/function_url/*.py", "local/function_url/test_server.py", THROUGH_THE_SOCKET),
    ("local/functions.py", "local/test_template.py", "reads the template"),
    ("local/invoke.py", "local/test_schedule.py", PART),
    ("local/journal.py", "local/poe_web/test_journal.py", "the journal that both simulators keep"),
    ("local/listener.py", "local/poe_web/test_updates.py", THROUGH_THE_SOCKET),
    ("local/refresh.py", "e2e", COMMAND),
    ("local/scenarios.py", "local/poe_web/test_scenarios.py", "what both simulators' scenarios share"),
    ("local/server.py", "local/test_service.py", "runs the stand-ins' processes"),
    ("lazy_dataclasses/_lazy.py", "lazy_dataclasses/test_dataclass.py", "what the package consists of"),
    # The command line.
    ("cli/commands/*.py", "cli/test_commands.py", "commands, run against a gateway behind a socket"),
    ("cli/deployment/*.py", "cli/test_deployment.py", "parts of a deployment, against moto"),
    ("cli/doctor/*.py", "cli/test_doctor.py", "checks, each with what it has to find"),
    ("cli/backup/*.py", "cli/test_backup.py", "parts of a backup, written and read by commands"),
    ("cli/aws.py", "cli/test_deployment.py", "what a deployment asks AWS"),
    ("cli/clock.py", "cli/test_quantities.py", "the pure half has the logic"),
    ("cli/errors.py", "cli/test_api.py", DECLARATIONS),
    ("cli/lookup.py", "cli/test_commands.py", "found by commands"),
    ("cli/prompts.py", "cli/test_main.py", "prompts, tested on a terminal"),
    ("cli/state.py", "cli/test_commands.py", "what every command stands on"),
    ("gateway/console/pages/*.py", "gateway/console/pages/test_pages.py", "pages, tested by requests to them"),
    ("gateway/console/tables.py", "gateway/console/pages/test_pages.py", "tables of pages, tested by requests"),
    # The Poe client.
    ("reverse/config.py", "reverse/web/test_client.py", DECLARATIONS),
    ("reverse/credentials.py", "reverse/web/test_security.py", "what counts is what never shows"),
    ("reverse/events.py", "reverse/web/test_protocol.py", DECLARATIONS),
    ("reverse/file_sources.py", "reverse/web/test_upload.py", PART),
    ("reverse/file_types.py", "reverse/web/test_upload.py", PART),
    ("reverse/url_guard.py", "reverse/test_fetch.py", "the guard of every fetch"),
    ("reverse/videos.py", "reverse/official/test_endpoints.py", DECLARATIONS),
    ("reverse/__main__.py", "reverse/test_terminal.py", COMMAND),
    ("reverse/doctor/*.py", "reverse/test_doctor.py", "steps of one report"),
    ("reverse/terminal/*.py", "reverse/test_terminal.py", "parts of one program, tested in a terminal"),
    ("reverse/compat/_api.py", "reverse/compat/test_surface.py", PART),
    ("reverse/compat/_chunks.py", "reverse/compat/test_messages.py", PART),
    ("reverse/compat/_connection.py", "reverse/compat/test_surface.py", PART),
    ("reverse/compat/_patience.py", "reverse/compat/test_messages.py", PART),
    ("reverse/official/attachments.py", "reverse/official/test_chat.py", PART),
    ("reverse/official/bot_protocol.py", "reverse/official/test_decoders.py", "one of the decoders"),
    ("reverse/official/catalogue.py", "reverse/official/test_account.py", PART),
    ("reverse/official/chat_completions.py", "reverse/official/test_decoders.py", "one of the decoders"),
    ("reverse/official/client.py", "reverse/official/test_chat.py", "the whole client"),
    ("http_connections/connection.py", "reverse/official/test_transports.py", PART),
    ("reverse/wire/content_coding.py", "reverse/official/test_transports.py", PART),
    ("http_connections/dialing.py", "reverse/official/test_transports.py", PART),
    ("reverse/official/half_pairs.py", "reverse/official/test_pairing.py", PART),
    ("reverse/official/httpx_transport.py", "reverse/official/test_transports.py", PART),
    ("reverse/official/decoding.py", "reverse/official/test_decoders.py", PART),
    ("reverse/official/exchange.py", "reverse/official/test_faults.py", PART),
    ("reverse/official/generation.py", "reverse/official/test_endpoints.py", PART),
    ("reverse/official/json_values.py", "reverse/official/test_account.py", PART),
    ("reverse/official/media_client.py", "reverse/official/test_endpoints.py", PART),
    ("reverse/official/media_links.py", "reverse/official/test_chat.py", PART),
    ("reverse/official/messages_endpoint.py", "reverse/official/test_decoders.py", "one of the decoders"),
    ("reverse/official/points.py", "reverse/official/test_account.py", PART),
    ("reverse/official/responses_endpoint.py", "reverse/official/test_decoders.py", "one of the decoders"),
    ("reverse/official/routing.py", "reverse/official/test_endpoints.py", PART),
    ("reverse/wire/transport.py", "reverse/official/test_faults.py", PART),
    ("reverse/official/uploads.py", "reverse/official/test_endpoints.py", PART),
    ("reverse/web/_decoder.py", "reverse/web/test_protocol.py", "what the protocol's events become"),
    ("reverse/web/_messaging.py", "reverse/web/test_chats.py", PART),
    ("reverse/web/_following.py", "reverse/web/test_stream_faults.py", "following an answer through faults"),
    ("reverse/web/_form_key.py", "reverse/web/test_bundle.py", PART),
    ("reverse/web/_form_key_program.py", "reverse/web/test_bundle.py", "a program that the form key's module starts"),
    ("reverse/web/_graphql.py", "reverse/web/test_envelope.py", PART),
    ("reverse/web/_knowledge.py", "reverse/web/test_bots.py", PART),
    ("reverse/web/_mailboxes.py", "reverse/web/test_channel.py", PART),
    ("reverse/web/_models.py", "reverse/web/test_bots.py", PART),
    ("reverse/web/_operations.py", "reverse/web/test_envelope.py", DECLARATIONS),
    ("reverse/web/_paging.py", "reverse/web/test_chats.py", PART),
    ("reverse/web/_refusals.py", "reverse/web/test_protocol.py", PART),
    ("reverse/web/_sending.py", "reverse/web/test_client.py", PART),
    # The account store.
    ("accounts/_api_keys.py", "accounts/test_records_contract.py", CONTRACT),
    ("accounts/_aws_boto.py", "accounts/test_aws.py", CONTRACT),
    ("accounts/_aws_choice.py", "accounts/test_aws.py", PART),
    ("accounts/_aws_lean.py", "accounts/test_aws.py", CONTRACT),
    ("accounts/_budgets.py", "accounts/test_budgets_contract.py", CONTRACT),
    ("accounts/_dynamodb_keys.py", "accounts/test_records_contract.py", CONTRACT),
    ("accounts/_dynamodb_ledger.py", "accounts/test_ledger_contract.py", CONTRACT),
    ("accounts/_dynamodb_slots.py", "accounts/test_dynamodb.py", PART),
    ("accounts/_dynamodb_sums.py", "accounts/test_sums_contract.py", CONTRACT),
    ("accounts/_sum_rows.py", "accounts/test_sums_contract.py", CONTRACT),
    ("accounts/_engine.py", "accounts/test_store_contract.py", CONTRACT),
    ("accounts/_expressions.py", "accounts/test_store_contract.py", CONTRACT),
    ("accounts/_ledger.py", "accounts/test_ledger_contract.py", CONTRACT),
    ("accounts/_records_items.py", "accounts/test_ledger_contract.py", CONTRACT),
    ("accounts/_dynamodb_accounts.py", "accounts/test_store_contract.py", CONTRACT),
    ("accounts/_alerts.py", "accounts/test_alerts_contract.py", PART),
    ("accounts/_backup.py", "accounts/test_backup_contract.py", PART),
    ("accounts/_dynamodb_backup.py", "accounts/test_backup_contract.py", CONTRACT),
    ("accounts/_dynamodb_balances.py", "accounts/test_balances_contract.py", CONTRACT),
    ("accounts/_dynamodb_audit.py", "accounts/test_audit_contract.py", CONTRACT),
    ("accounts/_dynamodb_records.py", "accounts/test_records_contract.py", CONTRACT),
    ("accounts/_exceptions.py", "accounts/test_package.py", DECLARATIONS),
    ("accounts/_factory.py", "accounts/test_aws.py", PART),
    ("accounts/_identity.py", "accounts/test_store_contract.py", CONTRACT),
    ("accounts/_items.py", "accounts/test_keys.py", PART),
    ("accounts/_memory.py", "accounts/test_store_contract.py", CONTRACT),
    ("accounts/_*_model.py", "accounts/test_package.py", DECLARATIONS),
    ("accounts/_dynamodb_booking.py", "accounts/test_ledger_contract.py", CONTRACT),
    ("accounts/_ledger_store.py", "accounts/test_ledger_contract.py", "the contract itself"),
    ("accounts/_page.py", "accounts/test_package.py", DECLARATIONS),
    ("accounts/_store.py", "accounts/test_store_contract.py", "the contract itself"),
    ("accounts/_table.py", "accounts/test_dynamodb.py", PART),
    ("accounts/_vault.py", "accounts/test_vault_kms.py", "the port that the KMS vault implements"),
    ("gateway/admin/backup_shapes.py", "gateway/admin/test_backup.py", DECLARATIONS),
    ("pool/alert_message.py", "pool/test_webhook.py", PART),
    ("pool/config_names.py", "pool/test_settings.py", DECLARATIONS),
    # The streaming runtime.
    ("streaming_runtime/__main__.py", "streaming_runtime/test_wrapper.py", COMMAND),
    ("streaming_runtime/errors.py", "streaming_runtime/test_failures.py", DECLARATIONS),
    # The functions.
    ("refresh_points/topic.py", "refresh_points/test_alerts.py", PART),
    ("refresh_points/handler.py", "refresh_points/test_run.py", "the whole run"),
    ("refresh_points/journal.py", "refresh_points/test_run.py", "the whole run"),
    ("refresh_points/settler.py", "refresh_points/test_run.py", "the whole run"),
    ("refresh_points/sweep.py", "refresh_points/test_run.py", "the whole run"),
    ("gateway/admin/*.py", "gateway/admin/test_admin.py", "routes and what they share, tested by requests"),
    ("gateway/generation/attempt.py", "gateway/generation/test_generation.py", "a generation is made of attempts"),
    ("gateway/generation/leasing.py", "gateway/generation/test_sends.py", PART),
    ("gateway/generation/task.py", "gateway/generation/test_sends.py", PART),
    ("gateway/generation/rules.py", "gateway/generation/test_plan.py", PART),
    ("gateway/http/declared_body.py", "gateway/http/test_fields.py", PART),
    ("gateway/http/schemas.py", "gateway/http/test_fields.py", DECLARATIONS),
    ("gateway/prompt/chat_task.py", "gateway/surfaces/chat/test_route.py", THROUGH_THE_SURFACE),
    ("gateway/prompt/conversations.py", "gateway/surfaces/chat/test_route.py", THROUGH_THE_SURFACE),
    ("gateway/prompt/model_json.py", "gateway/prompt/test_answer_readers.py", PART),
    ("gateway/prompt/schema_budget.py", "gateway/prompt/test_json_schema.py", PART),
    ("gateway/prompt/tool_calls.py", "gateway/prompt/test_tool_protocol.py", PART),
    ("gateway/prompt/body.py", "gateway/surfaces/test_bodies.py", "what the surfaces' bodies have in common"),
    ("gateway/prompt/content_parts.py", "gateway/surfaces/chat/test_messages.py", THROUGH_THE_SURFACE),
    ("gateway/prompt/request.py", "gateway/surfaces/chat/test_request.py", THROUGH_THE_SURFACE),
    ("gateway/surfaces/*.py", "gateway/test_app.py", "what all surfaces share, tested by requests"),
    ("gateway/surfaces/chat/*.py", "gateway/surfaces/chat/test_route.py", THROUGH_THE_SURFACE),
    ("gateway/surfaces/completions/*.py", "gateway/surfaces/completions/test_completions.py", THROUGH_THE_SURFACE),
    ("gateway/surfaces/media/*.py", "gateway/surfaces/media/test_media_end_to_end.py", THROUGH_THE_SURFACE),
    ("gateway/surfaces/responses/*.py", "gateway/surfaces/responses/test_route.py", THROUGH_THE_SURFACE),
)


def modules() -> list[str]:
    """The modules' paths as the tree of tests has them."""
    found = []
    for folder, tests in PACKAGES.items():
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "__init__.py":
                found.append(f"{tests}/{path.relative_to(ROOT / folder).as_posix()}")
    return sorted(found)


def has_its_own_test(module: str) -> bool:
    folder, _, name = module.rpartition("/")
    stem = name.removesuffix(".py").strip("_")
    return (TESTS / folder / f"test_{stem}.py").is_file()


def covers(pattern: str, module: str) -> bool:
    """Whether a pattern names a module; `*` does not reach into folders below."""
    return fnmatchcase(module, pattern) and module.count("/") == pattern.count("/")


def test_every_module_is_tested_under_its_name_or_listed() -> None:
    listed = [pattern for pattern, _, _ in ELSEWHERE]
    untold = [
        module
        for module in modules()
        if not has_its_own_test(module) and not any(covers(pattern, module) for pattern in listed)
    ]
    hint = "write a test file of the module's name, or list it in tests/test_mirror.py with the reason"
    assert not untold, f"{hint}: {', '.join(untold)}"


def test_the_list_names_what_exists_and_needs_it() -> None:
    """A listed module that has its own test file by now, or is gone, leaves the list."""
    without = [module for module in modules() if not has_its_own_test(module)]
    stale = [pattern for pattern, _, _ in ELSEWHERE if not any(covers(pattern, module) for module in without)]
    missing = [test for _, test, _ in ELSEWHERE if not (TESTS / test).exists()]
    assert not stale, f"has its own test, or is gone: {', '.join(stale)}"
    assert not missing, f"no such test: {', '.join(missing)}"


def test_the_tree_is_read() -> None:
    found = modules()
    assert len(found) > 300
    assert "accounts/_transitions.py" in found
    assert has_its_own_test("accounts/_transitions.py")
    assert not has_its_own_test("accounts/_no_such_module.py")
