"""A case as the fields of a form, and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from evals.errors import GoldenSetError
from evals.golden.cases import Case

_LISTS = ("answers", "must", "must_not")
_PLAIN = ("kind", "severity", "action", "question")
_EVIDENCE_ROWS = 20


@dataclass(frozen=True, slots=True)
class FormValues:
    """What stands in the fields. A list is one item a line; evidence is (uri, quote)."""

    kind: str
    severity: str
    action: str
    question: str
    answers: str
    must: str
    must_not: str
    evidence: tuple[tuple[str, str], ...]


def values_of(stated: Mapping[str, Any]) -> FormValues:
    """The fields of a case, or of a draft of one, given as plain values."""
    gold = stated["gold"]
    return FormValues(
        kind=stated["kind"],
        severity=stated["severity"],
        action=gold["action"],
        question=stated["question"],
        answers="\n".join(gold.get("answers", ())),
        must="\n".join(gold.get("must", ())),
        must_not="\n".join(gold.get("must_not", ())),
        evidence=tuple((quote["uri"], quote["quote"]) for quote in gold.get("evidence", ())),
    )


def values_in(form: Mapping[str, str]) -> FormValues:
    """The fields as a person sent them.

    Raises:
        GoldenSetError: There is a field that the form does not have, or one is missing.
    """
    rows = {f"evidence-{number}-{part}" for number in range(_EVIDENCE_ROWS) for part in ("uri", "quote")}
    if unknown := sorted(form.keys() - rows - {*_PLAIN, *_LISTS}):
        raise GoldenSetError(f"The form has no field {', '.join(unknown)}.")
    if missing := [name for name in (*_PLAIN, *_LISTS) if name not in form]:
        raise GoldenSetError(f"The form lacks {', '.join(missing)}.")
    evidence = [
        (form.get(f"evidence-{number}-uri", "").strip(), form.get(f"evidence-{number}-quote", "").strip())
        for number in range(_EVIDENCE_ROWS)
    ]
    kept = tuple(row for row in evidence if any(row))
    return FormValues(**{name: form[name] for name in (*_PLAIN, *_LISTS)}, evidence=kept)


def with_values(stated: Mapping[str, Any], values: FormValues) -> Case:
    """A case with what a form says in the place of what it said.

    Fields that were left as they are keep their very characters: a form knows only lines.

    Args:
        stated: The case, or the draft of one, as plain values.
        values: Of the form.

    Raises:
        GoldenSetError: What comes out is no case; the message names the fields.
    """
    old = values_of(stated)
    gold = dict(stated["gold"])
    case = dict(stated)
    for name in ("kind", "severity", "question"):
        if getattr(values, name) != _shown(getattr(old, name)):
            case[name] = getattr(values, name).strip()
    gold["action"] = values.action
    for name in _LISTS:
        if getattr(values, name) != _shown(getattr(old, name)):
            gold[name] = [line.strip() for line in getattr(values, name).split("\n") if line.strip()]
    if [(_shown(uri).strip(), _shown(quote).strip()) for uri, quote in old.evidence] != list(values.evidence):
        gold["evidence"] = [{"uri": uri, "quote": quote} for uri, quote in values.evidence]
    try:
        return Case.model_validate_json(json.dumps({**case, "gold": gold}))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'case'}: {item['msg']}" for item in error.errors())
        raise GoldenSetError(f"This would be no case: {wrong}") from None


def _shown(text: str) -> str:
    """A text as it comes back from a form in which it was not touched."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
