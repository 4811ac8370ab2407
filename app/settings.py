"""All settings, and the only file that reads or sets the environment.

`assay.yaml` in the working directory < `ASSAY_*` variables (`ASSAY_LLM__MODEL` is `llm.model`) < arguments.
"""

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from app.errors import ConfigError
from app.llm.config import LLMSettings
from guardrails.config import PiiSettings
from retrieval.config import RetrievalSettings

CORPUS_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAGAS_DO_NOT_TRACK": "true",
    "TOKENIZERS_PARALLELISM": "false",
}


class LadderSettings(BaseModel):
    """What a turn gives up when time gets short: each step is taken when less than this share of its time is left."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skip_rerank: float = Field(0.5, ge=0, le=1, description="When the reranker's turn comes.")
    fewer_passages: float = Field(0.4, ge=0, le=1, description="When the model's turn comes, as below.")
    few: int = Field(3, ge=1, le=50, description="How many passages `fewer_passages` leaves.")
    smaller_model: float = Field(0.3, ge=0, le=1, description="`llm.routes.smaller` is asked.")
    extractive: float = Field(
        0.15, ge=0, lt=1, description="No model is asked; one that is not done is cut off, and 2 s before the end."
    )


class ChatSettings(BaseModel):
    """Bounds and thresholds of a chat turn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    passages: int = Field(8, ge=1, le=50, description="Passages that an answer may draw on.")
    context_chars: int = Field(
        0, ge=0, le=20_000, description="Up to so much of its sections is read with a passage; 0: the passage alone."
    )
    max_claims: int = Field(8, ge=1, le=50)
    min_support: float = Field(0.7, ge=0, le=1, description="Probability from which on sources support a claim.")
    risk_target: float = Field(
        0.05, gt=0, lt=1, description="Share of answers that may be wrong; `evals calibrate` fits each corpus to it."
    )
    min_answerable: float | None = Field(
        None, ge=0, le=1, description="Answer from this probability on, in place of shipped and calibrated thresholds."
    )
    clarify: bool = Field(True, description="Ask back where a question has several meanings in the corpus.")
    max_question_chars: int = Field(4_000, ge=1)
    max_history_messages: int = Field(40, ge=0)
    max_history_chars: int = Field(40_000, ge=0)
    history_tokens: int = Field(
        2_000, ge=100, description="Of a longer history the newest messages count, and of older ones the questions."
    )
    keep_conversations: bool = Field(
        False, description="Let clients go on by `conversation_id`: what is said is kept, redacted and encrypted."
    )
    conversation_days: int = Field(30, ge=1, description="So long after its last message a conversation is kept.")
    coalesce: bool = Field(True, description="The same question asked at the same time is one turn for all who ask.")
    rewrite: Literal["history", "model"] = Field(
        "history", description="Of follow-ups: weigh earlier questions, or let the provider's model write them anew."
    )
    rewrite_timeout_s: float = Field(
        5.0, gt=0, description="After it, or without a usable rewrite, history is weighed."
    )
    deadline_s: float = Field(60.0, gt=0, le=3_600, description="For a whole turn; a request may ask for less.")
    max_cost_usd: float | None = Field(
        None, ge=0, description="Of the models of a turn; a request may ask for less. Default: no ceiling."
    )
    ladder: LadderSettings = LadderSettings()
    short_circuit: float | None = Field(
        None, ge=0, le=1, description="From this probability on the extractive answer is taken and no model is asked."
    )
    record_text: bool = Field(False, description="Keep questions and answers with a turn, not only what it cited.")


class SpendingSettings(BaseModel):
    """What may be spent on models in a UTC day. A turn reserves `chat.max_cost_usd` first, and pays what it cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    usd_per_day: float | None = Field(None, ge=0, description="By everyone together. Default: no ceiling.")
    usd_per_key_day: float | None = Field(
        None, ge=0, description="By each API key that has no ceiling of its own (`assay keys create --usd-per-day`)."
    )


class CacheSettings(BaseModel):
    """Answers that are given again. They are kept as they were said, so this is off unless it is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["off", "exact", "semantic"] = Field(
        "off", description="Give an answer again to the same question, or also to one that means the same."
    )
    max_entries: int = Field(10_000, ge=1, le=1_000_000)
    max_bytes: int = Field(50_000_000, ge=10_000)
    max_age_h: float = Field(24.0, gt=0, le=8_760, description="Older answers are not given again.")
    learned: Path | None = Field(None, description="A file of benchmarks/fit_cache.py. Default: the one that ships.")


class AlertSettings(BaseModel):
    """Who is told when something needs a person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook_url: SecretStr | None = Field(None, description="Gets a JSON body by POST. Default: nobody is told.")
    timeout_s: float = Field(5.0, gt=0, le=60)


class LineageSettings(BaseModel):
    """Who is told of ingests and turns in the form of OpenLineage events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    openlineage_url: SecretStr | None = Field(None, description="Of a receiver; events go to its `api/v1/lineage`.")
    openlineage_api_key: SecretStr | None = None
    openlineage_file: Path | None = Field(None, description="In place of a receiver: one event a line.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="For one event.")
    turns: bool = Field(False, description="Tell of turns too, not only of ingests.")


class RetentionSettings(BaseModel):
    """How long things are kept. By default for ever; `assay retain` and the service, once a day, see to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns_days: int | None = Field(None, ge=0, description="Turns, with the feedback on them. Default: kept.")
    feedback_days: int | None = Field(None, ge=0, description="Feedback. Default: as long as its turn.")
    quarantine_days: int | None = Field(None, ge=0, description="What is said of files that failed. Default: kept.")
    snapshots: int | None = Field(
        None, ge=1, description="Newest snapshots of a corpus, beside the one that serves and the one before it."
    )


class HttpSettings(BaseModel):
    """The HTTP door."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    max_body_bytes: int = Field(1_000_000, ge=1, description="Of any request but an upload.")
    max_upload_bytes: int = Field(50_000_000, ge=1)
    max_turns_in_flight: int = Field(16, ge=1)
    max_batch: int = Field(100, ge=1, le=10_000, description="Questions of one batch.")
    batch_parallel: int = Field(4, ge=1, le=64, description="Of a batch, answered at the same time.")


class Settings(BaseSettings):
    """Everything that can be set. Defaults need no file and no variable."""

    model_config = SettingsConfigDict(
        env_prefix="ASSAY_", env_nested_delimiter="__", yaml_file="assay.yaml", extra="ignore", frozen=True
    )

    home: Path = Field(Path(".assay"), description="Where all state lives: database and indexes.")
    database_url: SecretStr | None = Field(
        None, description="`postgresql+psycopg://user:password@host/database`. Default: SQLite under ASSAY_HOME."
    )
    corpus: str = Field("default", pattern=CORPUS_PATTERN)
    port: int = Field(8000, ge=0, le=65535)
    llm: LLMSettings = LLMSettings()
    chat: ChatSettings = ChatSettings()
    spending: SpendingSettings = SpendingSettings()
    cache: CacheSettings = CacheSettings()
    http: HttpSettings = HttpSettings()
    alerts: AlertSettings = AlertSettings()
    lineage: LineageSettings = LineageSettings()
    pii: PiiSettings = PiiSettings()
    retention: RetentionSettings = RetentionSettings()
    retrieval: RetrievalSettings = RetrievalSettings()

    @property
    def limits_cost(self) -> bool:
        """Whether any ceiling on money is set: then every model needs a price."""
        return any(
            limit is not None
            for limit in (self.chat.max_cost_usd, self.spending.usd_per_day, self.spending.usd_per_key_day)
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over variables, variables over the file."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


def load_settings(**arguments: Any) -> Settings:
    """Read all settings; an argument of None means "not given".

    Raises:
        ConfigError: A value is wrong; the message names each setting and what it should be.
    """
    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigError(f"Wrong settings: {wrong}. See docs/settings.md.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"assay.yaml is not YAML: {error}") from None


def child_environment() -> dict[str, str]:
    """The environment for programs that are started on the user's behalf, such as git."""
    return dict(os.environ)


def set_offline_variables() -> None:
    """Keep every library off the network. Must run before any of them is imported."""
    os.environ.update(_OFFLINE)
