"""`export` and `import`: everything that an owner would miss, in one file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from poegw.api import ApiError, Gateway
from poegw.errors import CommandError, Exit
from poegw.output import Column
from poegw.prompts import confirm, is_interactive, read_secret
from poegw.quantities import number
from poegw.state import State, pass_state

_CREDENTIALS_AT_ONCE = 20
_ITEMS_AT_ONCE = 100
_MAX_BATCH_BYTES = 1_000_000
_PROGRESS = 1_000


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--secrets", "with_secrets", is_flag=True, help="Also the accounts' credentials, under a passphrase.")
@click.option("--passphrase-stdin", is_flag=True, help="Read the passphrase from standard input.")
@pass_state
def export_command(state: State, file: Path | None, with_secrets: bool, passphrase_stdin: bool) -> None:
    """Write accounts, keys, the ledger and settings to FILE, page by page.

    Keys are in it as hashes: programs go on using the keys that they have. Credentials are in it with --secrets only,
    encrypted; that takes the admin key of the deployment. The log of requests and conversations are not in it.
    """
    from poegw.backup.file import Writer

    path = file or Path(f"poe-gateway-{datetime.now(UTC):%Y-%m-%d}.jsonl")
    if path.exists():
        # Before the passphrase is asked for, which nobody wants to type for nothing.
        confirm(f"{path} is there already. Replace it?", is_sure=state.is_sure)
    gateway = state.gateway()
    passphrase = None
    if with_secrets:
        gateway = _with_admin_key(state, gateway)
        passphrase = _new_passphrase(from_stdin=passphrase_stdin)
    version = str(gateway.get("/version").get("version"))
    counts: Counter[str] = Counter()
    with Writer(path, gateway=gateway.url, gateway_version=version, passphrase=passphrase) as writer:
        for section, item, sealed in _everything(gateway, writer.seal):
            writer.add(section, item, sealed)
            counts[section] += 1
            if sum(counts.values()) % _PROGRESS == 0:
                state.output.note(f"{number(sum(counts.values()))} so far …")
    told = {"file": str(path), "secrets": with_secrets, **{name: counts[name] for name in _sections()}}
    state.output.item(told, [(name.capitalize(), _shown(value)) for name, value in told.items()])
    if not with_secrets:
        state.output.note("Credentials are not in it: accounts that come back from it need new ones.")


def _everything(gateway: Gateway, seal: Any) -> Iterator[tuple[str, dict[str, Any], dict[str, str] | None]]:
    for section in _sections():
        for page in _pages(gateway, f"/admin/export/{section}"):
            # Page by page, so that no more of them are in memory than are being written.
            found = _credentials(gateway, page) if seal is not None and section == "accounts" else {}
            for item in page:
                credentials = found.get(item["id"]) if found else None
                yield section, item, seal.seal(item["id"], credentials) if credentials is not None else None


def _pages(gateway: Gateway, path: str) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = None
    while True:
        page = gateway.get(path, cursor=cursor)
        yield page["data"]
        if not (cursor := page["next_cursor"]):
            return


def _credentials(gateway: Gateway, accounts: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    ids = [account["id"] for account in accounts]
    for start in range(0, len(ids), _CREDENTIALS_AT_ONCE):
        wanted = {"accounts": ids[start : start + _CREDENTIALS_AT_ONCE]}
        found |= gateway.send("POST", "/admin/export/credentials", wanted)["data"]
    return found


def _with_admin_key(state: State, gateway: Gateway) -> Gateway:
    """The gateway with the deployment's own admin key, which alone may export credentials."""
    # Only the deployment's own key has no id; made keys may not export credentials.
    if gateway.get("/admin/whoami")["id"] is None:
        return gateway
    target = state.target()
    profile = state.profiles.get(target.profile) if target.profile else {}
    if profile.get("stack"):
        from poegw.aws import read_stack

        stack = read_stack(profile["stack"], region=profile.get("region"), profile=None)
        return state.connect(target.url, stack.read_admin_key())
    if not is_interactive():
        raise CommandError(
            "Credentials are only exported with the admin key of the deployment.",
            hint="Set GATEWAY_ADMIN_KEY and GATEWAY_URL, or do it at a terminal.",
            status=Exit.USAGE,
        )
    return state.connect(target.url, read_secret("Admin key", from_stdin=False, option=""))


def _new_passphrase(*, from_stdin: bool) -> str:
    from poegw.backup.sealing import MIN_PASSPHRASE_CHARACTERS

    passphrase = read_secret("Passphrase", from_stdin=from_stdin, option="--passphrase-stdin")
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise CommandError(f"A passphrase has at least {MIN_PASSPHRASE_CHARACTERS} characters.", status=Exit.USAGE)
    # A mistyped one would be noticed when the backup is needed.
    if not from_stdin and read_secret("Once more", from_stdin=False, option="") != passphrase:
        raise CommandError("They differ. Nothing was written.", status=Exit.USAGE)
    return passphrase


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mongo-export",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of FILE: JSON export of the original gateway's accounts collection, its credentials in clear.",
)
@click.option("--without-secrets", is_flag=True, help="Leave out the credentials of FILE.")
@click.option("--passphrase-stdin", is_flag=True, help="Read the passphrase from standard input.")
@click.option("--dry-run", is_flag=True, help="Only check the file, and say what is in it.")
@pass_state
def import_command(
    state: State,
    *,
    file: Path | None,
    mongo_export: Path | None,
    without_secrets: bool,
    passphrase_stdin: bool,
    dry_run: bool,
) -> None:
    """Bring back what `poegw export` wrote to FILE, or bring over the accounts of the original gateway.

    The file is checked whole first. What is there already is never changed, so an import that broke off may simply be
    repeated.
    """
    if (file is None) == (mongo_export is None):
        raise CommandError("Give a backup, or --mongo-export with the original's accounts.", status=Exit.USAGE)
    if mongo_export is not None:
        from poegw.commands.original import import_original

        import_original(state, mongo_export, is_dry=dry_run)
        return
    from poegw.backup.file import Backup

    backup = Backup(Path(str(file)))
    counts = ", ".join(f"{number(count)} {name}" for name, count in backup.counts.items())
    state.output.note(f"Written by {backup.header.get('gateway')} at {backup.header.get('created_at')}: {counts}.")
    seal = None
    if backup.has_secrets and not without_secrets:
        # Before anything is sent: a wrong passphrase changes nothing.
        seal = backup.unlock(read_secret("Passphrase", from_stdin=passphrase_stdin, option="--passphrase-stdin"))
    if dry_run:
        state.output.note("The file is whole. Nothing was imported.")
        return
    gateway = state.gateway()
    confirm(f"Import this into {gateway.url}?", is_sure=state.is_sure)
    rows = []
    for section in _sections():
        results = _restore(state, gateway, section, _prepared(backup.items(section), seal))
        rows.append({"section": section, **{name: results[name] for name in ("created", "same", "kept", "expired")}})
    state.output.rows(rows, _COLUMNS)
    if not backup.has_secrets or without_secrets:
        state.output.note(
            "Accounts came back without credentials. Add each again with its label: `poegw accounts add official`."
        )


def _prepared(items: Iterator[dict[str, Any]], seal: Any) -> Iterator[dict[str, Any]]:
    for item in items:
        data, sealed = item["data"], item.get("sealed")
        if seal is not None and sealed is not None:
            data = data | {"credentials": seal.open(str(data.get("id")), sealed)}
        yield data


def _restore(state: State, gateway: Gateway, section: str, items: Iterator[dict[str, Any]]) -> Counter[str]:
    results: Counter[str] = Counter()
    for batch in _batches(items):
        try:
            answer = gateway.send("POST", f"/admin/import/{section}", {"data": batch})["results"]
        except ApiError as error:
            error.hint = error.hint or "What was imported before stays. Repeat the command to go on."
            raise
        for item, result in zip(batch, answer, strict=True):
            results[result] += 1
            if result == "kept":
                name = item.get("label") or item.get("name") or item.get("id")
                state.output.warn(f"Kept what is there instead of {section[:-1]} {str(name)[:80]!r}.")
        if sum(results.values()) >= _PROGRESS:
            state.output.note(f"{section}: {number(sum(results.values()))} so far …")
    return results


def _batches(items: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Lists that fit one request, in number and in size."""
    batch: list[dict[str, Any]] = []
    size = 0
    for item in items:
        length = len(json.dumps(item))
        # Lambda takes 6 MB, and an import of a hundred entries some seconds.
        if batch and (len(batch) >= _ITEMS_AT_ONCE or size + length > _MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


def _sections() -> tuple[str, ...]:
    from poegw.backup.file import SECTIONS

    return SECTIONS


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes, encrypted" if value else "no"
    return number(value) if isinstance(value, int) else str(value)


def _column(name: str) -> Column:
    return Column(name.capitalize(), lambda row: number(row[name]), is_number=True)


_COLUMNS = (
    Column("Section", lambda row: str(row["section"])),
    *map(_column, ("created", "same", "kept", "expired")),
)
