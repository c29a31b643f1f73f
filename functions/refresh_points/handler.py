"""The scheduled job: reads the points of the accounts that are due, and keeps the house.

    {}                                      read what is due (the schedule's event)
    {"dry_run": true}                       count what is due
    {"statuses": ["invalid"]}            read all accounts in these states, due or not
    {"account_ids": ["acct_..."]}           read these accounts
    {"concurrency": 10}                     accounts at once, instead of the setting
    {"catalogue": true}                     read the list of models, too, however new the stored one is

The answer has the counts `total`, `succeeded`, `failed` and `skipped`, the first 20 `errors`, whether accounts are
`remaining` because the time was up, and for a run by `statuses` the `cursor` to continue with. `books` says what was
recovered, settled, summed up and corrected in the ledger. After the accounts an ordinary run brings the list of models
up to date every few hours; then the answer has `catalogue`, with how many there are and what failed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, Protocol

from accounts import AccountStore, AccountStoreError, open_store
from pool.clients import ClientFactory, PoeClients
from pool.config_names import POE
from pool.webhook import WebhookChannel, read_webhook
from refresh_points.alerts import Alerts, Channel
from refresh_points.books import Books, BooksReport
from refresh_points.catalogue import CatalogueReport, CatalogueSources, ReadEntries, refresh_catalogue
from refresh_points.chats import ChatCleaner
from refresh_points.estimates import Estimates
from refresh_points.job import AccountSource, Job
from refresh_points.journal import Journal
from refresh_points.readers import points_reader
from refresh_points.settings import Settings
from refresh_points.settler import Settler
from refresh_points.sweep import Limits, Report, Sweep
from refresh_points.topic import TopicChannel
from reverse.config import PoeConfig
from reverse.overrides import OverrideError, with_overrides
from reverse.tls import tls_context

# Where nobody says how long the run may take.
DEFAULT_SECONDS = 540.0
# A reading may take at most this share of the time that is left: short runs get somewhere, too.
TIMEOUT_SHARE = 0.3
# The metric answers "are there enough accounts", for which no higher count is needed.
MOST_ELIGIBLE_COUNTED = 1_000


class LambdaContext(Protocol):
    """What is needed of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int: ...


def handler(event: Mapping[str, Any], context: LambdaContext | None) -> dict[str, Any]:
    """Lambda's entry. Raises for an event or a setting that is wrong, and when the table can't be reached."""
    seconds = context.get_remaining_time_in_millis() / 1000 if context is not None else DEFAULT_SECONDS
    # A loop for each run: minutes pass until the next one, which no connection outlives.
    return asyncio.run(_run_deployed(Job.from_event(event), Settings.from_env(os.environ), seconds))


async def _run_deployed(job: Job, settings: Settings, seconds: float) -> dict[str, Any]:
    store = open_store(table=settings.table, kms_key_id=settings.kms_key_id, tls_context=tls_context)
    journal = Journal(level=settings.log_level, with_metrics=settings.metrics == "on")
    try:
        config = await poe_config(settings, store, journal)
        async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
            sources = CatalogueSources(store, config, clients.make)
            return await run(
                job,
                settings=settings,
                seconds=seconds,
                store=store,
                make_client=clients.make,
                journal=journal,
                catalogue={"official": sources.official, "web": sources.web},
                channels=await open_channels(settings, store, journal) if job.is_ordinary else None,
            )
    finally:
        await store.aclose()


async def poe_config(settings: Settings, store: AccountStore, journal: Journal) -> PoeConfig:
    """The configuration, with what an operator has replaced in the table; what can't be used of that is left out."""
    config = settings.poe_config()
    try:
        return with_overrides(config, await store.get_config(POE))
    except (AccountStoreError, OverrideError) as error:
        journal.overrides_unusable(error)
        return config


async def open_channels(settings: Settings, store: AccountStore, journal: Journal) -> dict[str, Channel]:
    """The ways to the owner that are set up, by name. One that can't be read is left out, and is logged."""
    channels: dict[str, Channel] = {}
    if settings.alert_topic_arn:
        channels["sns"] = TopicChannel(settings.alert_topic_arn)
    try:
        webhook = await read_webhook(store)
    except AccountStoreError as error:
        journal.webhook_unusable(error)
    else:
        if webhook is not None:
            channels["webhook"] = WebhookChannel(webhook)
    return channels


async def run(
    job: Job,
    *,
    settings: Settings,
    seconds: float,
    store: AccountStore,
    make_client: ClientFactory,
    journal: Journal,
    catalogue: Mapping[str, ReadEntries] | None = None,
    channels: Mapping[str, Channel] | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Do the job in at most `seconds`, and say what was done.

    `catalogue` reads the lists of models, by their side. `channels` are the ways to the owner, by name.
    """
    started = time.monotonic()
    timeout = min(settings.refresh_timeout_seconds, seconds * TIMEOUT_SHARE)
    margin = min(settings.refresh_margin_seconds, seconds * TIMEOUT_SHARE)
    limits = Limits(
        concurrency=job.concurrency or settings.refresh_concurrency,
        timeout_seconds=timeout,
        stop_at=started + seconds - timeout - margin,
    )
    source = AccountSource(store, job, now=wall_clock())
    estimates = Estimates(store, wall_clock=wall_clock)
    settler = Settler(store, wall_clock=wall_clock, note=estimates.note_settled)
    chats = ChatCleaner(store, make_client, hours=settings.delete_chats, wall_clock=wall_clock, stop_at=limits.stop_at)
    books = Books(store, estimates, chats, wall_clock=wall_clock, stop_at=limits.stop_at)
    reader = points_reader(make_client, settler.settle, note=estimates.note_reading)
    alerts = Alerts(store, channels or {}, wall_clock=wall_clock, stop_at=limits.stop_at)
    sweep = Sweep(store, reader, limits, is_forced=job.is_forced, wall_clock=wall_clock, on_read=alerts.judge)
    if not job.dry_run:
        await books.before_readings()
    try:
        report = await (sweep.count(source.ids()) if job.dry_run else sweep.run(source.ids()))
    except BaseException as error:
        journal.run_failed(sweep.report, error, seconds=time.monotonic() - started)
        raise
    if not job.dry_run:
        await books.after_readings()
        books.report.settled = settler.settled
        journal.books_kept(books.report, settler.failures)
    eligible = await _count_eligible(store)
    journal.run_ended(report, seconds=time.monotonic() - started, eligible=eligible, is_dry=job.dry_run)
    if job.is_ordinary:
        # After the readings, by which accounts are judged.
        await alerts.finish(eligible=eligible)
        journal.alerts_told(alerts.report)
    models = None
    if catalogue and job.wants_catalogue:
        left = started + seconds - margin - time.monotonic()
        age = 0.0 if job.catalogue else settings.catalogue_hours * 3600
        # Last, with the time that is left: the list of models can wait, points can't.
        models = await _refresh_catalogue(
            store, catalogue, journal, now=wall_clock(), max_age_seconds=age, seconds=left
        )
    answer = _shown(report, None if job.dry_run else books.report, models)
    return answer | ({"cursor": source.cursor} if job.statuses and report.remaining else {})


def _shown(report: Report, books: BooksReport | None, models: CatalogueReport | None) -> dict[str, Any]:
    """What the function answers; parts that were not asked for are left out."""
    answer: dict[str, Any] = {
        "total": report.total,
        "succeeded": report.succeeded,
        "failed": report.failed,
        "skipped": report.skipped,
        "errors": report.errors,
        "remaining": report.remaining,
    }
    if books is not None:
        answer["books"] = asdict(books)
    if models is not None:
        answer["catalogue"] = {"models": models.models, "failures": dict(models.failures)}
    return answer


async def _refresh_catalogue(
    store: AccountStore, sources: Mapping[str, ReadEntries], journal: Journal, **limits: float
) -> CatalogueReport | None:
    """The list of models, whose failure is only told: the readings are done."""
    try:
        report = await refresh_catalogue(store, sources, **limits)
    except AccountStoreError as error:
        report = CatalogueReport(0, {"store": type(error).__name__})
    if report is not None:
        journal.catalogue_read(report.models, report.failures)
    return report


async def _count_eligible(store: AccountStore) -> int | None:
    """How many accounts could serve now. The readings are done whether or not that can be told."""
    try:
        return await store.count_eligible(at_most=MOST_ELIGIBLE_COUNTED)
    except AccountStoreError:
        return None
