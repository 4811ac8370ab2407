"""Settings of models: which there are, which one does what, and how patiently they are asked."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator


class Connection(BaseModel):
    """Where a model is reached, and how long it is waited for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field("http://127.0.0.1:11434/v1", description="Of an OpenAI-compatible server.")
    model: str = "default"
    api_key: SecretStr | None = None
    key_header: str = Field("Authorization", description="Where the key goes; Azure: `api-key`.")
    query: dict[str, str] = Field({}, description="Added to the address; Azure: `{api-version: …}`.")
    factory: str = Field("", description="`llama_index`: `package.module:function`, which makes the LLM.")
    timeout_s: float = Field(60.0, gt=0, description="For one whole draft.")
    first_token_s: float = Field(30.0, gt=0, description="Until a draft begins; then it may be tried again elsewhere.")
    stall_s: float = Field(15.0, gt=0, description="Between two pieces of a draft.")


class ModelSettings(Connection):
    """A model that routes can name."""

    provider: Literal["openai_compatible", "local", "llama_index"] = "openai_compatible"


Chain = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""Names of models: where one fails, the next is asked."""


class RouteSettings(BaseModel):
    """Which model does what: a name of `llm.models`, or several, tried in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answering: Chain = Field((), description="Default: the one model that `llm` itself describes.")
    smaller: Chain = Field((), description="Answers where time or money is short. Default: none.")
    rewriting: Chain = Field((), description="Writes follow-ups anew. Default: the model that answers.")
    routing: Chain = Field((), description="Tells intents apart. Default: the model that rewrites.")


class RetrySettings(BaseModel):
    """When a model is asked again, and when it is left alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = Field(2, ge=1, le=5, description="At one model, for one draft.")
    ratio: float = Field(0.1, ge=0, le=1, description="Further attempts for each call that went well.")
    window_s: float = Field(60.0, gt=0, description="Over which that is counted.")
    spare: int = Field(1, ge=0, description="Further attempts that need not be earned, once.")
    failures: int = Field(5, ge=1, description="In a row, after which a model is left alone.")
    open_s: float = Field(10.0, gt=0, description="How long it is left alone.")


class LLMSettings(Connection):
    """Which provider writes drafts. Without `models` and `routes` the one described here does everything."""

    provider: Literal["extractive", "openai_compatible", "local", "llama_index"] = "extractive"
    max_tokens: int = Field(400, ge=1, le=8192, description="Upper bound of a draft.")
    prompt_tokens: int = Field(
        6_000, ge=512, description="Upper bound of a prompt: passages over it are shortened to what is of use."
    )
    models: dict[str, ModelSettings] = Field({}, description="Named models for `llm.routes`: docs/models.md.")
    routes: RouteSettings = RouteSettings()
    retry: RetrySettings = RetrySettings()
    prices: Path | None = Field(None, description="A price table whose lines win over the shipped app/prices.yaml.")

    @model_validator(mode="after")
    def _routes_lead_to_models(self) -> "LLMSettings":
        for route, names in self.routes:
            for name in names:
                if name not in self.models:
                    known = ", ".join(self.models) or "there are none"
                    raise ValueError(f"routes.{route} names '{name}', which is not in llm.models ({known})")
        return self
