"""Cards: where a golden set comes from and what it is good for; YAML front matter for machines, prose for people."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.errors import GoldenSetError
from evals.golden.cases import Case

SplitBy = Literal["group", "time", "random"]


class Card(BaseModel):
    """The front matter of card.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    licence: str
    created: date
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of cases.jsonl.")
    cases: int = Field(description="Those that are run; retired ones are counted apart. So are the counts below.")
    splits: Mapping[str, int]
    kinds: Mapping[str, int]
    actions: Mapping[str, int]
    pending: Mapping[str, int] = Field(default_factory=dict)
    retired: int = 0
    split_by: SplitBy = Field(
        "group", description="What decides the split; 'time' promises that no test case is older."
    )
    corpus: tuple[str, ...] = Field((), description="Golden sets whose documents it asks about; default: its own.")
    looks: int = Field(20, ge=1, description="How often its test split may be read: the budget of the ledger.")


def read_card(path: Path) -> Card:
    """Read the front matter of a card.

    Raises:
        GoldenSetError: The card is missing, or its front matter is wrong; the message names the field.
    """
    return parse_front(card_parts(path)[0], path)


def card_parts(path: Path) -> tuple[str, str]:
    """The front matter of a card, without the lines of dashes around it, and the prose after it.

    Raises:
        GoldenSetError: The card is missing, or has no front matter.
    """
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenSetError(f"{path} cannot be read: {error}") from None
    head, mark, rest = text.partition("---\n")
    front, end, prose = rest.partition("\n---\n")
    if head or not mark or not end:
        raise GoldenSetError(f"{path} does not begin with front matter between two lines of '---'.")
    return front, prose


def parse_front(front: str, path: Path) -> Card:
    """The front matter as a card; `path` is only named.

    Raises:
        GoldenSetError: It is wrong; the message names the field.
    """
    try:
        return Card.model_validate(yaml.safe_load(front))
    except yaml.YAMLError as error:
        raise GoldenSetError(f"{path}: the front matter is not YAML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise GoldenSetError(f"{path}: {wrong}") from None


def counted(cases: Sequence[Case]) -> dict[str, Any]:
    """What a card has to state about its cases, by field; the sha256 aside."""
    live = [case for case in cases if case.retired is None]
    return {
        "cases": len(live),
        "splits": _counts(case.split for case in live),
        "kinds": _counts(case.kind for case in live),
        "actions": _counts(case.gold.action for case in live),
        "pending": _counts(case.pending for case in live if case.pending),
        "retired": len(cases) - len(live),
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
