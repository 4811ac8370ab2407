"""Whether two reviewers see the same cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from evals.review.audit import Entry
from evals.review.types import Cause
from evals.scorers.agreement import Agreement, agreement


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two reviewers, and how far their causes agree over what both labelled."""

    one: str
    other: str
    agreement: Agreement


def first_labels(entries: Sequence[Entry]) -> dict[str, dict[tuple[str | None, str], Cause]]:
    """By reviewer: the cause that each gave first to a case of a run.

    The first one counts, since it was given blind: the other's is shown only after it.
    """
    found: dict[str, dict[tuple[str | None, str], Cause]] = {}
    for entry in entries:
        if entry.cause is not None:
            found.setdefault(entry.who, {}).setdefault((entry.run, entry.case_id), entry.cause)
    return found


def agreements(entries: Sequence[Entry]) -> list[PairAgreement]:
    """Cohen's kappa between each two reviewers who labelled some of the same cases in the same run."""
    labels = first_labels(entries)
    pairs = []
    for one, other in combinations(sorted(labels), 2):
        both = sorted(labels[one].keys() & labels[other].keys(), key=str)
        if both:
            of_one, of_other = ([labels[who][key] for key in both] for who in (one, other))
            pairs.append(PairAgreement(one, other, agreement(of_one, of_other)))
    return pairs
