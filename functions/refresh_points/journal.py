"""What is written about a run: one structured line at its end, and metrics. Names, numbers and codes only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from pool.log import NAMESPACE, quiet_libraries
from refresh_points.alerts import AlertsReport
from refresh_points.books import BooksReport
from refresh_points.sweep import Report

SERVICE = "refresh_points"


class Journal:
    """Writes to standard output, or where told."""

    def __init__(
        self,
        *,
        level: str = "info",
        with_metrics: bool = False,
        stream: TextIO | None = None,
        service: str = SERVICE,
    ) -> None:
        self._with_metrics = with_metrics
        self._logger = Logger(service=service, level=level.upper(), stream=stream)
        quiet_libraries()

    def run_ended(self, report: Report, *, seconds: float, eligible: int | None, is_dry: bool) -> None:
        """The one line of a run that went to its end, or to its deadline."""
        line = {
            "total": report.total,
            "succeeded": report.succeeded,
            "failed": report.failed,
            "skipped": report.skipped,
            "remaining": report.remaining,
            "errors": report.errors,
            "eligible_accounts": eligible,
            "dry_run": is_dry,
            "duration_seconds": round(seconds, 3),
        }
        self._logger.info("refresh.ended", extra=line)
        if self._with_metrics and not is_dry:
            self._write_metrics(report, eligible)

    def run_failed(self, report: Report, error: BaseException, *, seconds: float) -> None:
        """The one line of a run that could not go on."""
        line = {
            "error_type": type(error).__name__,
            "total": report.total,
            "succeeded": report.succeeded,
            "failed": report.failed,
            "duration_seconds": round(seconds, 3),
        }
        self._logger.error("refresh.failed", extra=line)

    def books_kept(self, report: BooksReport, failures: Mapping[str, int]) -> None:
        """What was done in the ledger; failures are codes, those of histories with how often."""
        line = asdict(report) | {"history_failures": dict(failures)}
        is_odd = bool(report.failures or report.corrected)
        (self._logger.warning if is_odd else self._logger.info)("books.kept", extra=line)

    def catalogue_read(self, models: int, failures: Mapping[str, str]) -> None:
        """What became of the list of models; failures are codes."""
        level = self._logger.warning if failures else self._logger.info
        level("catalogue.read", extra={"models": models, "failures": dict(failures)})

    def alerts_told(self, report: AlertsReport) -> None:
        """What became of the alerts; nothing where there was nothing to do."""
        if report.begun or report.ended or report.told or report.failures:
            level = self._logger.warning if report.failures else self._logger.info
            level("alerts.told", extra=asdict(report))

    def webhook_unusable(self, error: Exception) -> None:
        """The webhook's address could not be read."""
        self._logger.warning("config.unusable", extra={"config": "alert-webhook", "code": type(error).__name__})

    def overrides_unusable(self, error: Exception) -> None:
        """What replaces parts of the clients' configuration could not be read, or used."""
        self._logger.warning("config.unusable", extra={"config": "poe", "code": type(error).__name__})

    @staticmethod
    def _write_metrics(report: Report, eligible: int | None) -> None:
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
        if eligible is not None:
            metrics.add_metric("EligibleAccounts", MetricUnit.Count, eligible)
        metrics.add_metric("ReadingsSucceeded", MetricUnit.Count, report.succeeded)
        metrics.add_metric("ReadingsFailed", MetricUnit.Count, report.failed)
        metrics.flush_metrics()
