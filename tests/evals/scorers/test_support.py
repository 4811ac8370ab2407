"""Grounding and ALCE's citations: values by hand."""

from dataclasses import replace

import pytest

from app.types import ChatResult, Citation, Claim
from evals.scorers.citations import citation_precision_alce, citation_recall_alce, span_f1
from evals.scorers.grounding import claims_supported, dropped_share
from evals.scorers.support import supported
from tests.evals.conftest import citation, evidence, make_case, make_result

SOURCE = "Backups run at 02:00 each night. Restores are tested every 90 days. Logs are never deleted."
BACKUPS, RESTORES, LOGS = (SOURCE.index("Backups"), 32), (33, 67), (68, len(SOURCE))
BOTH = "Backups run each night and restores are tested every 90 days."


def cite(*places: tuple[int, int]) -> tuple[Citation, ...]:
    return tuple(citation(*place, SOURCE) for place in places)


def result(*claims: tuple[str, tuple[Citation, ...]]) -> ChatResult:
    return replace(make_result("x"), claims=tuple(Claim(text, cited, 1.0) for text, cited in claims))


def score(scorer: object, made: ChatResult) -> float | None:
    value: float | None = scorer(make_case(), made, evidence(text=SOURCE))  # type: ignore[operator]
    return value


@pytest.mark.parametrize(
    ("claim", "sources", "holds"),
    [
        ("Restores are tested every 90 days.", ["Restores are tested every 90 days."], True),
        ("Restores are tested every 9 days.", ["Restores are tested every 90 days."], False),
        ("Restores are tested every 1,000 days", ["Restores are tested every 1000.0 days."], True),
        ("It fell by -5 degrees", ["It fell by 5 degrees."], False),
        ("Logs are deleted.", ["Logs are never deleted."], False),
        ("Logs are never deleted.", ["Logs are never deleted. Backups run."], True),
        ("Backups run.", ["Logs are never deleted. Backups run."], True),
        ("A", ["A"], True),
        ("A", ["B"], False),
        ("Bananas ripen.", ["Logs are never deleted."], False),
        ("Restores are tested.", [], False),
        ("", [""], False),
    ],
)
def test_support(claim: str, sources: list[str], holds: bool) -> None:
    assert supported(claim, sources) is holds


def test_an_invented_number_is_not_supported_whatever_the_quote_says() -> None:
    forged = replace(cite(RESTORES)[0], quote="Restores are tested every 30 days.")
    made = result(("Restores are tested every 30 days.", (forged,)), ("Logs are never deleted.", cite(LOGS)))
    assert score(claims_supported, made) == 0.5


def test_citations_off_by_a_sentence_support_nothing() -> None:
    assert score(claims_supported, result(("Logs are never deleted.", cite(BACKUPS)))) == 0.0
    outside = replace(cite(LOGS)[0], end=len(SOURCE) + 1)
    assert score(claims_supported, result(("Logs are never deleted.", (outside,)))) == 0.0


def test_alce_by_hand() -> None:
    # Claim 1 needs both of its citations; the third adds nothing and does not support it alone: irrelevant.
    # Claim 2 is supported by one citation. Claim 3 is not supported, so its citation is not precise either.
    made = result(
        (BOTH, cite(BACKUPS, RESTORES, LOGS)),
        ("Logs are never deleted.", cite(LOGS)),
        ("Logs are kept 10 years.", cite(LOGS)),
    )
    assert score(citation_recall_alce, made) == pytest.approx(2 / 3)
    assert score(citation_precision_alce, made) == pytest.approx(3 / 5)


def test_alce_counts_a_redundant_citation_that_supports_alone() -> None:
    made = result(("Logs are never deleted.", cite(LOGS, (33, len(SOURCE)))))
    assert score(citation_precision_alce, made) == 1.0


def test_a_claim_without_citations_costs_recall_and_has_no_precision() -> None:
    made = result(("Logs are never deleted.", ()))
    assert score(citation_recall_alce, made) == 0.0
    assert score(citation_precision_alce, made) is None
    assert score(citation_recall_alce, make_result()) is None


def test_span_f1_by_hand() -> None:
    known = evidence((0, 10), (20, 30))
    made = make_result("x", cited=(citation(5, 15), citation(5, 12)))
    assert span_f1(make_case(), made, known) == pytest.approx(2 * 5 / (20 + 10))  # cited twice counts once
    assert span_f1(make_case(), make_result(), known) == 0.0
    assert span_f1(make_case(), made, evidence()) is None
    assert span_f1(make_case(), make_result("x", cited=(citation(0, 10, doc_id="z"),)), known) == 0.0


def test_dropped_share() -> None:
    made = replace(result(("a", ()), ("b", ())), dropped=("c",))
    assert score(dropped_share, made) == pytest.approx(1 / 3)
    assert score(dropped_share, make_result()) is None
