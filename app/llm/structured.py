"""Answers that fit a schema, from any server that speaks OpenAI's chat completions with `json_schema`. For judges."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from app.errors import ProviderError, ProviderTimeout

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam
    from openai.types.shared_params import ResponseFormatJSONSchema

Answer = TypeVar("Answer", bound=BaseModel)

_ATTEMPTS = 2
"""An answer that does not fit is asked for once more."""


class StructuredModel(Protocol):
    """Answers a prompt with an instance of a pydantic model."""

    @property
    def name(self) -> str:
        """What says that it answered."""
        ...

    def ask(self, system: str, user: str, schema: type[Answer]) -> Answer:
        """Answer a prompt.

        Raises:
            ProviderError: The model could not be reached, or what it said does not fit the schema.
        """
        ...


class OpenAIStructured:
    """A model behind an OpenAI-compatible endpoint, asked for output that is bound to a schema.

    Args:
        base_url: The address up to and with the version, such as "http://127.0.0.1:8000/v1".
        model: The model's name on that server.
        api_key: The key, or None for a server that wants none: then no Authorization header is sent.
        timeout_s: For one answer.
        max_tokens: Upper bound of an answer.
        http_client: The client to use in tests.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: SecretStr | None = None,
        timeout_s: float = 60.0,
        max_tokens: int = 2_000,
        http_client: httpx.Client | None = None,
    ) -> None:
        from openai import Omit, OpenAI

        self.name = f"openai-compatible/{model}"
        self._model = model
        self._max_tokens = max_tokens
        # As in openai_compatible.py: nothing of OPENAI_* variables, no key where none is wanted, no redirects.
        self._headers: dict[str, str | Omit] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        if api_key is None:
            self._headers["Authorization"] = Omit()
        self._client = OpenAI(
            base_url=base_url,
            api_key=api_key.get_secret_value() if api_key else "none",
            timeout=timeout_s,
            max_retries=0,
            http_client=http_client or httpx.Client(timeout=timeout_s, follow_redirects=False),
        )

    def ask(self, system: str, user: str, schema: type[Answer]) -> Answer:
        """Answer a prompt, at temperature 0.

        Raises:
            ProviderTimeout: The deadline passed.
            ProviderError: The server refused, or twice sent what does not fit. Its words are left out of the message.
        """
        for _ in range(_ATTEMPTS):
            try:
                return schema.model_validate_json(self._said(system, user, schema))
            except ValidationError as error:
                wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "answer"
        raise ProviderError(
            f"{self.name}: the answer does not fit {schema.__name__}: {where}: {wrong['msg']}"
        ) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _said(self, system: str, user: str, schema: type[BaseModel]) -> str:
        import openai

        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        bound = {"name": schema.__name__, "strict": True, "schema": closed(schema.model_json_schema())}
        form = {"type": "json_schema", "json_schema": bound}
        try:
            done = self._client.chat.completions.create(
                model=self._model,
                messages=cast("list[ChatCompletionMessageParam]", messages),
                max_tokens=self._max_tokens,
                temperature=0,
                response_format=cast("ResponseFormatJSONSchema", form),
                extra_headers=self._headers,
            )
        except (openai.APITimeoutError, httpx.TimeoutException):
            raise ProviderTimeout(f"{self.name}: no answer in time") from None
        except openai.APIStatusError as error:
            raise ProviderError(f"{self.name}: {type(error).__name__}, status {error.status_code}") from None
        except (openai.OpenAIError, httpx.HTTPError, ValueError) as error:
            raise ProviderError(f"{self.name}: {type(error).__name__}") from None
        # The client does not validate: servers differ in what they leave out.
        content = done.choices[0].message.content if getattr(done, "choices", None) else None
        if not isinstance(content, str):
            raise ProviderError(f"{self.name}: the answer is empty")
        return content


def closed(schema: Any) -> Any:
    """A JSON schema whose objects take no other keys and need all of theirs, as servers with strict output ask."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {key: closed(value) for key, value in schema.items() if key != "default"}
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        made |= {"additionalProperties": False, "required": list(made["properties"])}
    return made
