"""Settings of the guard room."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class PiiSettings(BaseModel):
    """How personal data is looked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: float = Field(0.5, ge=0, le=1, description="What is less sure is left alone.")
    leave: frozenset[str] = Field(frozenset(), description="Kinds that are not looked for, such as IP_ADDRESS.")
    deny: tuple[Annotated[str, Field(min_length=2, max_length=200)], ...] = Field(
        (),
        max_length=10_000,
        description="Words that are personal data wherever they stand, such as names.",
    )
    phone_regions: tuple[str, ...] = Field(
        ("US", "GB", "DE", "FR"), description="Countries whose numbers are known without a country code (ISO 3166)."
    )
    regex_timeout_s: float = Field(1.0, gt=0, le=60, description="Of one pattern on one window of text.")
