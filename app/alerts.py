"""Tells a webhook that something needs a person. What cannot be told never stops what it is about."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.settings import AlertSettings
from retrieval.types import IngestReport

_log = logging.getLogger(__name__)


def contract_alert(settings: AlertSettings, corpus: str, report: IngestReport) -> None:
    """Tell of a broken contract: rules, counts and uris, no text of any document."""
    if report.breaches:
        body = {
            "event": "contract",
            "corpus": corpus,
            "switched": report.switched,
            "snapshot": report.snapshot,
            "breaches": [asdict(breach) for breach in report.breaches],
        }
        send(settings, body)


def send(settings: AlertSettings, body: Mapping[str, Any]) -> None:
    """POST a body to the webhook; a failure is a line in the log, without the address, which may hold a secret."""
    if settings.webhook_url is None:
        return
    import httpx

    try:
        url = settings.webhook_url.get_secret_value()
        httpx.post(url, json=body, timeout=settings.timeout_s, follow_redirects=False).raise_for_status()
    except httpx.HTTPStatusError as error:
        _log.warning("the alert webhook answered %d", error.response.status_code)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last: a host such as a..b
        _log.warning("the alert webhook could not be told: %s", type(error).__name__)
