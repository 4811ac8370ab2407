"""Suites: which golden sets are run, how they are scored, and what the gate asks. YAML, shipped in evals/suites/."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from app.costs import Price, load_prices
from app.llm.structured import OpenAIStructured
from evals.errors import SuiteError
from evals.scorers import JUDGED, SCORERS, cost_metric, judged
from evals.scorers.judge import JudgeSettings
from evals.scorers.utility import Utility, utility
from evals.types import Metric

SHIPPED = Path(__file__).parent / "suites"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Margin(_Strict):
    """What one metric may lose."""

    margin: float = Field(gt=0, description="Non-inferiority: a loss shown to be smaller than this is accepted.")
    min_effect: float = Field(0.0, ge=0, description="A proven loss smaller than this does not fail a release.")


class Gate(_Strict):
    """What a candidate must show against the baseline. Differences are those of means, paired by case."""

    metrics: Mapping[str, Margin] = Field(default_factory=dict)
    slice_metrics: tuple[str, ...] = Field((), description="Metrics that are also tested on every slice.")
    invariants: tuple[str, ...] = Field(
        (), description="Metrics that must be perfect on every case that is not pending."
    )
    alpha: float = Field(0.02, gt=0, lt=0.5, description="Chance of a false FAIL over all tests of one gate.")
    p50_ratio: float = Field(1.25, gt=1, description="Median latency over the baseline's, on equal hardware.")
    p95_ratio: float = Field(1.4, gt=1)
    cost_ratio: float = Field(1.1, gt=1)
    p95_ms: float = Field(5_000, gt=0, description="Absolute budget of a turn on any hardware.")
    max_failed_share: float = Field(0.05, gt=0, lt=1, description="Above it a run is UNMEASURABLE.")
    min_pairs: int = Field(20, ge=2, description="Below it a comparison with the baseline is UNMEASURABLE.")


class Suite(_Strict):
    """A suite as its file states it."""

    name: str
    sets: tuple[str, ...] = Field(min_length=1, description="Names of folders of golden_sets/.")
    scorers: tuple[str, ...] = Field(min_length=1)
    slices: tuple[str, ...] = Field((), description="Slices that are reported and gated, besides the kinds.")
    gate: Gate = Gate()
    utility: Utility = Utility()
    judge: JudgeSettings | None = Field(None, description="For the scorers that ask a language model.")
    repeats: int = Field(1, ge=1, le=100, description="How often each case is asked, to measure what is unstable.")
    retries: int = Field(2, ge=0, le=10, description="After an infrastructure error, never after a wrong answer.")
    concurrency: int = Field(1, ge=1, le=256, description="Cases in flight. Above 1 they slow each other down.")
    deadline_s: float = Field(60.0, gt=0, description="For one case.")

    @field_validator("scorers")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(names) - set(SCORERS)):
            raise ValueError(f"no such scorer: {', '.join(unknown)}. There are: {', '.join(SCORERS)}")
        return names

    @model_validator(mode="after")
    def _gated_metrics_are_scored(self) -> "Suite":
        gated = {*self.gate.metrics, *self.gate.slice_metrics, *self.gate.invariants}
        if unscored := sorted(gated - set(self.scorers)):
            raise ValueError(f"the gate names metrics that `scorers` does not: {', '.join(unscored)}")
        if asked := sorted(gated & JUDGED):
            raise ValueError(f"a judge never blocks a release, so the gate cannot name {', '.join(asked)}")
        return self

    @model_validator(mode="after")
    def _judged_metrics_have_a_judge(self) -> "Suite":
        asked = sorted(JUDGED.intersection(self.scorers))
        if asked and self.judge is None:
            raise ValueError(f"these scorers need `judge: {{base_url: …, model: …}}`: {', '.join(asked)}")
        return self

    def metrics(
        self, api_key: SecretStr | None = None, prices: Mapping[str, Price] | None = None
    ) -> Mapping[str, Metric]:
        """The suite's scorers by name, in its order, with its own utility matrix, judge and price table.

        Args:
            api_key: The judge's key, for a server that wants one; a suite holds no secret.
            prices: In place of the shipped price table.
        """
        made = {
            **SCORERS,
            "utility": utility(self.utility),
            "cost_usd": cost_metric(load_prices() if prices is None else prices),
        }
        if self.judge is not None:
            server = OpenAIStructured(self.judge.base_url, self.judge.model, api_key, self.judge.timeout_s)
            made |= judged(server)
        return {name: made[name] for name in self.scorers}

    @property
    def sha256(self) -> str:
        """The hash of all that the suite states."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


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
