"""Rules that compare a corpus with what serves: the accidents of a data pipeline that no single document shows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import median

from retrieval.contract.facts import Facts, Found
from retrieval.contract.model import DriftRule, Rule
from retrieval.contract.profile import same_kind

Numbers = Mapping[str, list[float]]
"""Of one text, by unit."""
MIN_NUMBERS = 8
"""Of each side, for a median to say anything."""
MIN_DOCUMENTS = 5
MAX_P = 0.001
"""Of the Kolmogorov-Smirnov test: below it the two sets of numbers come from different sources."""
COMMON = 0.2
"""A unit that this share of documents names is expected to stay."""


def documents_gone(rule: DriftRule, now: Facts, before: Facts) -> Iterator[Found]:
    """A truncated dump: many documents vanish at once."""
    if rule.documents_gone is None or len(before.all) < MIN_DOCUMENTS:
        return
    here = {fact.uri for fact in now.all}
    gone = [fact.uri for fact in before.all if fact.uri not in here]
    if len(gone) >= rule.documents_gone * len(before.all):
        yield Found(
            f"{len(gone)} of {len(before.all)} documents are gone: is the dump cut off?", tuple(gone), count=len(gone)
        )


def new_language(rule: DriftRule, now: Facts, before: Facts) -> Iterator[Found]:
    """A language that the corpus did not have."""
    if rule.new_language is None or len(before.all) < MIN_DOCUMENTS:
        return
    known = {fact.profile.language for fact in before.all}
    counted = Counter(fact.profile.language for fact in now.all)
    for language, count in counted.items():
        if language and language not in known and count >= rule.new_language * len(now.all):
            uris = tuple(fact.uri for fact in now.all if fact.profile.language == language)
            yield Found(f"{count} of {len(now.all)} documents are in '{language}', a language new to the corpus", uris)


def numbers(rule: DriftRule, now: Facts, before: Facts) -> Iterator[Found]:
    """Numbers of the same name or unit that moved by a factor: cents in place of euros, metres in place of cm."""
    if rule.numbers is None:
        return
    from scipy.stats import ks_2samp

    old, new = before.numbers(), now.numbers()
    for name in sorted(old.keys() & new.keys()):
        if min(len(old[name]), len(new[name])) < MIN_NUMBERS:
            continue
        was, is_now = median(map(abs, old[name])), median(map(abs, new[name]))
        if was == 0 or is_now == 0:
            continue
        factor = is_now / was
        moved = factor >= rule.numbers or factor <= 1 / rule.numbers
        if moved and ks_2samp(old[name], new[name]).pvalue < MAX_P:
            said = f"{factor:.3g} times" if factor >= 1 else f"1/{1 / factor:.3g}"
            yield Found(
                f"numbers of {name}: median {was:.4g} before, {is_now:.4g} now ({said}): has their unit changed?",
                _holders(now, name),
            )


def units(rule: DriftRule, now: Facts, before: Facts) -> Iterator[Found]:
    """Numbers of a unit that many documents named have gone, and as many of another unit for the same have come.

    Counted in each document that stayed, so that other numbers in either unit, as a width in cm, hide nothing.
    """
    if rule.numbers is None:
        return
    old = {fact.uri: fact.profile.numbers for fact in before.all}
    new = {fact.uri: fact.profile.numbers for fact in now.all if fact.uri in old}
    if len(new) < MIN_DOCUMENTS:
        return
    for unit, other in _alike(old.values(), new.values()):
        naming = sum(unit in old[uri] for uri in new)
        moved = tuple(uri for uri in new if _more(old[uri], new[uri], unit) and _more(new[uri], old[uri], other))
        if naming >= max(COMMON * len(new), 3) and len(moved) >= naming / 2:
            yield Found(
                f"{naming} documents named {unit}, {sum(unit in found for found in new.values())} still do; "
                f"{other} is now in {sum(other in found for found in new.values())}, "
                f"was in {sum(other in old[uri] for uri in new)}: has the unit changed?",
                moved,
            )


def _alike(old: Iterable[Numbers], new: Iterable[Numbers]) -> list[tuple[str, str]]:
    """Pairs of a unit that was and another that is and measures the same."""
    were, are = ({unit for found in side for unit in found} for side in (old, new))
    return [(unit, other) for unit in sorted(were) for other in sorted(are - {unit}) if same_kind(unit, other)]


def _more(one: Numbers, other: Numbers, unit: str) -> bool:
    return len(one.get(unit, ())) > len(other.get(unit, ()))


def _holders(facts: Facts, name: str) -> tuple[str, ...]:
    if name.startswith("'"):
        return tuple(fact.uri for fact in facts.all if name.strip("'") in fact.labels.attributes)
    return tuple(fact.uri for fact in facts.naming(name))


DRIFT_CHECKS: dict[Rule, Callable[[DriftRule, Facts, Facts], Iterator[Found]]] = {
    "documents_gone": documents_gone,
    "new_language": new_language,
    "numbers": numbers,
    "units": units,
}
