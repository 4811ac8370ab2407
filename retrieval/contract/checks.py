"""The rules of a contract, one function each. A function yields what breaks its rule."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from retrieval.contract.drift import DRIFT_CHECKS
from retrieval.contract.facts import Fact, Facts, Found
from retrieval.contract.model import Contract, DriftRule, MetadataRule, Rule
from retrieval.contract.profile import MINHASH, PERMUTATIONS, to_number
from retrieval.types import Attribute, Breach, Severity

EXAMPLES = 5
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "date": (str,),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What the rules look at: the documents as they would serve, and as they serve."""

    now: Facts
    before: Facts
    at: datetime


def evaluate(contract: Contract, now: Sequence[Fact], before: Sequence[Fact], at: datetime) -> tuple[Breach, ...]:
    """Every rule that is broken, errors first.

    Args:
        contract: What is demanded.
        now: The documents as they would serve.
        before: The documents that serve; empty where none do, and then nothing drifts.
        at: The time that freshness counts from.
    """
    given = Given(Facts(now), Facts(before), at)
    broken = []
    for rule, check in CHECKS.items():
        for found in check(contract, given):
            if found.of and len(found.uris) <= contract.tolerance * found.of:
                continue
            severity = Severity.WARNING if rule in contract.warn else Severity.ERROR
            broken.append(Breach(rule, severity, found.message, found.count, found.uris[:EXAMPLES]))
    return tuple(sorted(broken, key=lambda breach: breach.severity != Severity.ERROR))


def _metadata(contract: Contract, given: Given) -> Iterator[Found]:
    for name, rule in contract.metadata.items():
        wrong: dict[str, list[str]] = {}
        for fact in given.now.all:
            if why := _wrong(rule, fact.labels.attributes.get(name)):
                wrong.setdefault(why, []).append(fact.uri)
        for why, uris in wrong.items():
            yield Found(f"'{name}' {why}", tuple(uris), len(given.now.all))


def _wrong(rule: MetadataRule, value: Attribute | None) -> str:
    """What is wrong with a value, in words that are the same for all documents with the same fault."""
    if value is None:
        return "is missing" if rule.required else ""
    if rule.unit and isinstance(value, str):
        number = _in_unit(value, rule.unit)
        return _out_of_bounds(rule, number) if number is not None else f"is not a number in {rule.unit}"
    typed = isinstance(value, _TYPES[rule.type]) and (rule.type == "boolean" or not isinstance(value, bool))
    if not typed or (rule.type == "date" and not _is_date(str(value))):
        return f"is not a {rule.type}"
    return _out_of_bounds(rule, value)


def _out_of_bounds(rule: MetadataRule, value: Attribute) -> str:
    if rule.allowed is not None and value not in rule.allowed:
        return "is none of the allowed values"
    if rule.range is not None and isinstance(value, int | float) and not rule.range.hold(value):
        return f"is not from {rule.range.min} to {rule.range.max}"
    return ""


def _in_unit(value: str, unit: str) -> float | None:
    """The number of a text such as "24.90 EUR"; None where it is not in that unit."""
    number, _, said = value.strip().rpartition(" ")
    try:
        return to_number(number) if said == unit else None
    except ValueError:
        return None


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _languages(contract: Contract, given: Given) -> Iterator[Found]:
    if contract.languages is not None:
        wrong = [fact for fact in given.now.all if fact.profile.language not in (*contract.languages, "")]
        if wrong:
            counted = Counter(fact.profile.language for fact in wrong).most_common(3)
            named = ", ".join(f"{count} in '{language}'" for language, count in counted)
            allowed = ", ".join(contract.languages)
            yield Found(f"languages other than {allowed}: {named}", _uris(wrong), len(given.now.all))


def _freshness(contract: Contract, given: Given) -> Iterator[Found]:
    if contract.max_age_days is not None:
        old = [
            fact
            for fact in given.now.all
            if (given.at - fact.profile.modified.astimezone(UTC)).total_seconds() > contract.max_age_days * 86_400
        ]
        if old:
            yield Found(f"older than {contract.max_age_days:g} days", _uris(old), len(given.now.all))


def _documents(contract: Contract, given: Given) -> Iterator[Found]:
    bounds, count = contract.documents, len(given.now.all)
    if bounds is not None and not bounds.hold(count):
        yield Found(f"{count} documents, not from {bounds.min} to {bounds.max}", count=count)


def _characters(contract: Contract, given: Given) -> Iterator[Found]:
    bounds = contract.characters
    if bounds is not None:
        wrong = [fact for fact in given.now.all if not bounds.hold(fact.profile.characters)]
        if wrong:
            yield Found(f"length not from {bounds.min} to {bounds.max} characters", _uris(wrong), len(given.now.all))


def _duplicates(contract: Contract, given: Given) -> Iterator[Found]:
    rule = contract.duplicates
    if rule is not None and given.now.all:
        repeated = _repeats(given.now.all, rule.similarity)
        share = len(repeated) / len(given.now.all)
        if share > rule.max_share:
            yield Found(f"{share:.0%} nearly repeat another document, more than {rule.max_share:.0%}", _uris(repeated))


def _repeats(facts: Sequence[Fact], similarity: float) -> list[Fact]:
    """The documents that nearly repeat one before them."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS)
    kept: dict[int, MinHash] = {}
    repeated = []
    for number, fact in enumerate(facts):
        if not fact.profile.minhash:
            continue
        sketch = MinHash(PERMUTATIONS, hashvalues=list(fact.profile.minhash), scheme=MINHASH)
        if any(sketch.jaccard(kept[other]) >= similarity for other in index.query(sketch)):
            repeated.append(fact)
        else:
            kept[number] = sketch
            index.insert(number, sketch)
    return repeated


def _over(name: str, bound: float | None, value: Callable[[Fact], float], given: Given) -> Iterator[Found]:
    if bound is not None:
        wrong = sorted((fact for fact in given.now.all if value(fact) > bound), key=value, reverse=True)
        if wrong:
            worst = value(wrong[0])
            yield Found(f"{name} above {bound:g} (worst {worst:.3g})", _uris(wrong), len(given.now.all))


def _mojibake(contract: Contract, given: Given) -> Iterator[Found]:
    yield from _over(
        "wrongly decoded places per 1,000 characters",
        contract.quality.max_mojibake,
        lambda fact: fact.profile.mojibake,
        given,
    )


def _noise(contract: Contract, given: Given) -> Iterator[Found]:
    yield from _over(
        "share of words that look like failed recognition",
        contract.quality.max_noise,
        lambda fact: fact.profile.noise,
        given,
    )


def _boilerplate(contract: Contract, given: Given) -> Iterator[Found]:
    often = Counter(line for fact in given.now.all for line in set(fact.profile.lines))
    common = {line for line, count in often.items() if count >= 3 and count > len(given.now.all) / 2}
    yield from _over(
        "share of lines that most documents repeat",
        contract.quality.max_boilerplate,
        lambda fact: sum(line in common for line in fact.profile.lines) / max(1, len(fact.profile.lines)),
        given,
    )


def _uris(facts: Sequence[Fact]) -> tuple[str, ...]:
    return tuple(fact.uri for fact in facts)


def _drifted(
    check: Callable[[DriftRule, Facts, Facts], Iterator[Found]],
) -> Callable[[Contract, Given], Iterator[Found]]:
    return lambda contract, given: check(contract.drift, given.now, given.before)


CHECKS: dict[Rule, Callable[[Contract, Given], Iterator[Found]]] = {
    "metadata": _metadata,
    "languages": _languages,
    "freshness": _freshness,
    "documents": _documents,
    "characters": _characters,
    "duplicates": _duplicates,
    "mojibake": _mojibake,
    "noise": _noise,
    "boilerplate": _boilerplate,
    **{rule: _drifted(check) for rule, check in DRIFT_CHECKS.items()},
}
