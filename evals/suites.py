"""Suites: which golden sets are run, over which corpus, and how they are scored. YAML, shipped in evals/suites/."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.settings import CORPUS_PATTERN
from evals.errors import SuiteError
from evals.scorers import SCORERS

SHIPPED = Path(__file__).parent / "suites"


class Suite(BaseModel):
    """A suite as its file states it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sets: tuple[str, ...] = Field(min_length=1, description="Names of folders of golden_sets/.")
    corpus: str = Field(pattern=CORPUS_PATTERN, description="The corpus that the sets' documents are ingested into.")
    scorers: tuple[str, ...] = Field(min_length=1)
    slices: tuple[str, ...] = Field((), description="Slices that the summary reports, besides the kinds.")
    concurrency: int = Field(1, ge=1, le=256, description="Cases in flight. Above 1 they slow each other down.")
    deadline_s: float = Field(60.0, gt=0, description="For one case.")

    @field_validator("scorers")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(names) - set(SCORERS)):
            raise ValueError(f"no such scorer: {', '.join(unknown)}. There are: {', '.join(SCORERS)}")
        return names


def load_suite(named: str) -> Suite:
    """A suite by its shipped name, or by the path of a YAML file.

    Raises:
        SuiteError: There is none, or it is wrong: the message names file and field.
    """
    path = Path(named) if named.endswith((".yaml", ".yml")) else SHIPPED / f"{named}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise SuiteError(f"There is no suite '{named}'. Shipped: {shipped}. Or give the path of a .yaml file.")
    try:
        stated = yaml.safe_load(path.read_text("utf-8"))
        return Suite.model_validate({"name": path.stem, **(stated if isinstance(stated, dict) else {})})
    except yaml.YAMLError as error:
        raise SuiteError(f"{path} is not YAML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise SuiteError(f"{path}: {wrong}") from None
