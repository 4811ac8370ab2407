"""Accidents of a data pipeline, each stopped by the contract with a message that names the cause."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap import Services
from retrieval.contract.checks import evaluate
from retrieval.contract.facts import Fact
from retrieval.contract.model import Contract, read_contract
from retrieval.contract.profile import numbers, profile, quantity, to_number
from retrieval.errors import ContractInvalid
from retrieval.files import folders, list_files
from retrieval.types import Attribute, IngestReport, Labels, Severity

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACT = "documents: {min: 1}\nduplicates: {max_share: 0.3}\n"
TOPICS = "harbour pump valve mast rudder anchor engine galley compass sail hull winch".split()


def sheet(topic: str, price: float, unit: str = "EUR") -> str:
    return (
        f"# The {topic}\n\nThis sheet is about the {topic} of a boat and tells what one has to know before buying it. "
        f"A new {topic} costs {price:.2f} {unit} at the {topic} shop, and it should be looked after every year."
    )


@pytest.fixture
def catalogue(services: Services, tmp_path: Path) -> Path:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    for number, topic in enumerate(TOPICS):
        (folder / f"{topic}.md").write_text(sheet(topic, 10 + number), encoding="utf-8")
    contract = tmp_path / "contract.yaml"
    contract.write_text(CONTRACT, encoding="utf-8")
    services.ingestor.gate.install("default", contract)
    assert ingest(services, folder).switched
    return folder


def ingest(services: Services, folder: Path) -> IngestReport:
    return services.ingestor.ingest(list_files([folder]), "default", prune=folders([folder]))


def in_cents(folder: Path) -> None:
    for number, topic in enumerate(TOPICS):
        (folder / f"{topic}.md").write_text(sheet(topic, 1000 + 100 * number), encoding="utf-8")


def named_cents(folder: Path) -> None:
    for number, topic in enumerate(TOPICS):
        (folder / f"{topic}.md").write_text(sheet(topic, 1000 + 100 * number, "ct"), encoding="utf-8")


def cut_off(folder: Path) -> None:
    for topic in TOPICS[: len(TOPICS) // 2 + 1]:
        (folder / f"{topic}.md").unlink()


def in_german(folder: Path) -> None:
    for topic in TOPICS[:4]:
        text = f"# {topic}\n\nDieses Blatt handelt von einem Boot und sagt, was man vor dem Kauf wissen muss."
        (folder / f"{topic}.md").write_text(text, encoding="utf-8")


def flooded(folder: Path) -> None:
    text = (folder / "sail.md").read_text(encoding="utf-8")
    for number in range(20):
        (folder / f"copy-{number}.md").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("accident", "rule", "says"),
    [
        (in_cents, "numbers", r"numbers of EUR: median 15.5 before, 1550 now \(100 times\): has their unit changed"),
        (named_cents, "units", "12 documents named EUR, 0 still do; cent is now in 12, was in 0: has the unit changed"),
        (cut_off, "documents_gone", "7 of 12 documents are gone: is the dump cut off"),
        (in_german, "new_language", "4 of 12 documents are in 'de', a language new to the corpus"),
        (flooded, "duplicates", "62% nearly repeat another document, more than 30%"),
    ],
)
async def test_an_accident_is_stopped_and_the_old_snapshot_serves(
    services: Services, catalogue: Path, accident: Callable[[Path], None], rule: str, says: str
) -> None:
    before = services.corpora.active("default")
    accident(catalogue)
    report = ingest(services, catalogue)
    errors = [breach for breach in report.breaches if breach.severity is Severity.ERROR]
    assert [breach.rule for breach in errors] == [rule]
    assert re.search(says, errors[0].message)
    assert errors[0].count >= 4 and errors[0].examples
    assert not report.switched and report.snapshot == before == services.corpora.active("default")
    assert (await services.retriever.search("anchor costs", "default", 1)).snapshot == before


def test_a_rule_that_only_warns_lets_the_switch_happen(services: Services, catalogue: Path, tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    contract.write_text("warn: [numbers]", encoding="utf-8")
    services.ingestor.gate.install("default", contract)
    in_cents(catalogue)
    report = ingest(services, catalogue)
    assert report.switched and [(b.rule, b.severity) for b in report.breaches] == [("numbers", Severity.WARNING)]


def test_an_ordinary_change_breaks_nothing(services: Services, catalogue: Path) -> None:
    (catalogue / "mast.md").write_text(sheet("mast", 19), encoding="utf-8")
    (catalogue / "new.md").write_text(sheet("lantern", 12), encoding="utf-8")
    report = ingest(services, catalogue)
    assert report.switched and report.breaches == ()


def test_a_broken_contract_is_not_taken_for_none(services: Services, catalogue: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("documents: {minimum: 3}", encoding="utf-8")
    with pytest.raises(ContractInvalid, match=r"documents\.minimum"):
        services.ingestor.gate.install("default", wrong)
    services.ingestor.gate.path("default").write_text("a: b: c", encoding="utf-8")
    with pytest.raises(ContractInvalid, match="not YAML"):
        ingest(services, catalogue)


def fact(uri: str, text: str = "Some words of a text.", language: str = "en", **attributes: Attribute) -> Fact:
    return Fact(uri, Labels(attributes=attributes), profile(text, language, NOW))


@pytest.mark.parametrize(
    ("contract", "facts", "message"),
    [
        ("metadata: {price: {type: number}}", [fact("a", price="x")], "'price' is not a number"),
        ("metadata: {price: {type: number}}", [fact("a")], "'price' is missing"),
        ("metadata: {price: {unit: EUR, range: {max: 9}}}", [fact("a", price="12,5 EUR")], "'price' is not from None"),
        ("metadata: {price: {unit: EUR}}", [fact("a", price="12 USD")], "'price' is not a number in EUR"),
        ("metadata: {kind: {allowed: [faq]}}", [fact("a", kind="blog")], "'kind' is none of the allowed"),
        ("metadata: {day: {type: date}}", [fact("a", day="soon")], "'day' is not a date"),
        ("metadata: {size: {type: integer}}", [fact("a", size=True)], "'size' is not a integer"),
        ("languages: [en]", [fact("a", language="fr")], "languages other than en: 1 in 'fr'"),
        ("max_age_days: 1", [Fact("a", Labels(), profile("x", "en", LONG_AGO))], "older than 1"),
        ("documents: {min: 2}", [fact("a")], "1 documents, not from 2"),
        ("characters: {min: 100}", [fact("a")], "length not from 100"),
        ("quality: {max_mojibake: 1}", [fact("a", "schÃ¶n fÃ¼r die StraÃŸe")], "wrongly decoded places"),
        ("quality: {max_noise: 0.2}", [fact("a", "th1s w0rd iz br0ken xkcdq bcdfg")], "failed recognition"),
        (
            "quality: {max_boilerplate: 0.4}",
            [fact(str(i), f"All rights are reserved by us.\nThis line is only of text {i}.") for i in range(4)],
            "lines that most documents repeat above 0.4",
        ),
    ],
)  # fmt: skip
def test_each_rule_names_what_is_wrong(contract: str, facts: list[Fact], message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(contract, encoding="utf-8")
    (broken,) = evaluate(read_contract(path), facts, [], NOW)
    assert message in broken.message and broken.severity is Severity.ERROR


def test_some_documents_may_be_forgiven() -> None:
    facts = [fact(str(i), language="fr" if i == 0 else "en") for i in range(20)]
    assert len(evaluate(Contract(languages=("en",)), facts, [], NOW)) == 1
    assert evaluate(Contract(languages=("en",), tolerance=0.05), facts, [], NOW) == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [("12,50", 12.5), ("1.234,50", 1234.5), ("1,234.50", 1234.5), ("1,250", 1250), ("1 200", 1200), ("2.5", 2.5)],
)
def test_numbers_are_read_in_both_notations(text: str, value: float) -> None:
    assert to_number(text) == value
    assert numbers(f"It costs {text} EUR.")["EUR"] == [value]


@given(st.text(max_size=300))
def test_any_text_has_a_profile(text: str) -> None:
    found = profile(text, "en", NOW)
    assert 0 <= found.noise <= 1 and found.characters == len(text)


@given(st.lists(st.sampled_from(TOPICS), max_size=6, unique=True))
def test_the_same_documents_never_drift(topics: list[str]) -> None:
    facts = [fact(topic, sheet(topic, 5)) for topic in topics]
    assert evaluate(Contract(), facts, facts, NOW) == ()


def test_a_unit_is_missed_where_both_stay_in_use() -> None:
    before = [fact(str(i), f"It is {100 + i} cm tall and {20 + i} cm wide, the cable has 2 m.") for i in range(8)]
    now = [fact(str(i), f"It is {1 + i / 100} m tall and {20 + i} cm wide, the cable has 2 m.") for i in range(8)]
    (broken,) = evaluate(Contract(), now, before, NOW)
    assert (broken.rule, broken.count) == ("units", 8)


def test_another_kind_of_number_is_no_other_unit() -> None:
    before = [fact(str(i), f"It costs {100 + i} EUR for now.") for i in range(8)]
    now = [fact(str(i), f"It is cheaper by {10 + i} % for now.") for i in range(8)]
    assert evaluate(Contract(), now, before, NOW) == ()


def test_an_attribute_with_its_unit_is_a_number() -> None:
    before = [fact(str(i), height=f"{100 + i} cm") for i in range(10)]
    now = [fact(str(i), height=f"{1 + i / 100:.2f} m") for i in range(10)]
    (broken,) = evaluate(Contract(), now, before, NOW)
    assert broken.rule == "numbers" and broken.message.startswith("numbers of 'height': median 104.5 before, 1.045 now")


@pytest.mark.parametrize(
    ("text", "value"), [("24.90 EUR", 24.9), ("€ 1,250", 1250), (" 180 cm ", 180), ("2 m cable", None), ("2026", None)]
)
def test_a_quantity_is_a_number_with_a_unit_and_nothing_else(text: str, value: float | None) -> None:
    assert quantity(text) == value
