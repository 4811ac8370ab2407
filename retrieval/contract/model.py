"""What a contract can demand. One YAML file for a corpus."""

import hashlib
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from retrieval.errors import ContractInvalid
from retrieval.reading import open_regular

MAX_BYTES = 1_000_000
Rule = Literal[
    "metadata",
    "languages",
    "freshness",
    "documents",
    "characters",
    "duplicates",
    "mojibake",
    "noise",
    "boilerplate",
    "documents_gone",
    "new_language",
    "numbers",
    "units",
]
"""Every rule that can be broken; `warn` names those that only warn."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Part):
    """From `min` to `max`, both included."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self

    def hold(self, value: float) -> bool:
        """Whether a value lies within."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


class MetadataRule(_Part):
    """What an attribute must be like. With a unit, a text such as "24.90 EUR" is read as a number in that unit."""

    type: Literal["string", "number", "integer", "boolean", "date"] = "string"
    required: bool = True
    allowed: tuple[str | int | float | bool, ...] | None = None
    range: Bounds | None = None
    unit: str | None = None


class DuplicateRule(_Part):
    """How many documents may nearly repeat another."""

    max_share: float = Field(ge=0, le=1)
    similarity: float = Field(0.9, ge=0.5, le=1, description="Jaccard index of 5-word shingles.")


class QualityRule(_Part):
    """Bounds on each document's text; None is not looked at."""

    max_mojibake: float | None = Field(None, ge=0, description="Wrongly decoded places per 1,000 characters.")
    max_noise: float | None = Field(None, ge=0, le=1, description="Share of words that look like failed recognition.")
    max_boilerplate: float | None = Field(None, ge=0, le=1, description="Share of lines that most documents repeat.")


class DriftRule(_Part):
    """Against the snapshot that serves; None is not looked at."""

    documents_gone: float | None = Field(0.5, gt=0, le=1, description="Share of documents that may vanish at once.")
    new_language: float | None = Field(0.1, gt=0, le=1, description="Share of documents in a language new to it.")
    numbers: float | None = Field(5.0, gt=1, description="Factor by which a median may move.")


class Contract(_Part):
    """What a corpus must be like before it serves."""

    metadata: dict[str, MetadataRule] = {}
    languages: tuple[str, ...] | None = None
    max_age_days: float | None = Field(None, gt=0)
    documents: Bounds | None = None
    characters: Bounds | None = Field(None, description="Of each document's text.")
    duplicates: DuplicateRule | None = None
    quality: QualityRule = QualityRule()
    drift: DriftRule = DriftRule()
    tolerance: float = Field(0.0, ge=0, lt=1, description="Share of documents that may break a rule on each document.")
    warn: frozenset[Rule] = frozenset()

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that name what is demanded."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


DEFAULT = Contract(warn=frozenset({"documents_gone", "new_language", "numbers", "units"}))
"""For a corpus without a contract: nothing stops, what looks like an accident is said."""


def read_contract(path: Path) -> Contract:
    """Read a contract.

    Raises:
        ContractInvalid: It cannot be read, or demands what is not known; the message names the place.
    """
    try:
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ContractInvalid(f"{path} is larger than {MAX_BYTES:,} bytes.")
        return Contract.model_validate(yaml.safe_load(data) or {})
    except OSError as error:
        raise ContractInvalid(f"The contract {path} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ContractInvalid(f"{path} is not YAML{f', line {mark.line + 1}' if mark else ''}.") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
        raise ContractInvalid(f"The contract {path}: {wrong}. See docs/corpus.md.") from None
