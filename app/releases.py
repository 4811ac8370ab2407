"""What answers: the release manifest, everything besides the documents that decides an answer."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from app.llm.config import LLMSettings
from app.llm.prompt import PROMPT_ID, PROMPT_SHA256
from app.pipeline import ChatPipeline
from app.settings import ChatSettings, Settings
from retrieval.config import RetrievalSettings

_ROOMS = ("app", "retrieval", "guardrails", "tools")
_SOURCES = frozenset({".py", ".md", ".yaml", ".json"})


@dataclass(frozen=True, slots=True)
class Release:
    """A release manifest. `id` is the hash of all the rest: equal ids answer equally over equal documents."""

    id: str
    code_sha256: str
    provider: str
    prompt: str
    embedder: str
    settings: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)
    """Versions of guards and tools, and of whatever else was put in."""


def describe(pipeline: ChatPipeline, settings: Settings, parts: Mapping[str, str] | None = None) -> Release:
    """The manifest of a pipeline. Secrets are no part of it.

    Args:
        pipeline: What answers; its provider and its retriever's weights count, also where they differ from settings.
        settings: What it was built from.
        parts: Names and versions of further parts.
    """
    stated = {
        **_flat(settings.chat, "chat"),
        **_flat(settings.retrieval, "retrieval"),
        **{f"retrieval.weights.{name}": str(weight) for name, weight in pipeline.retriever.weights.items()},
        "retrieval.reranker": pipeline.retriever.reranker.fingerprint,
        "llm.model": settings.llm.model,
        "llm.max_tokens": str(pipeline.max_tokens),
        "llm.prompt_tokens": str(pipeline.prompt_tokens),
        **_flat(settings.llm.routes, "llm.routes"),
        **{f"llm.models.{name}": f"{model.provider} {model.model}" for name, model in settings.llm.models.items()},
    }
    manifest = Release(
        id="",
        code_sha256=code_sha256(),
        provider=pipeline.provider.name,
        prompt=f"{PROMPT_ID} {PROMPT_SHA256}",
        embedder=" + ".join(embedder.fingerprint for embedder in pipeline.retriever.embedders),
        settings=dict(sorted(stated.items())),
        parts=dict(sorted({**pipeline.decider.versions(), **(parts or {})}.items())),
    )
    return Release(**{**asdict(manifest), "id": _digest(asdict(manifest))[:16]})


def deviations(release: Release) -> dict[str, str]:
    """The settings of a release that are not this version's defaults."""
    usual = {**_flat(ChatSettings(), "chat"), **_flat(RetrievalSettings(), "retrieval"), **_flat(LLMSettings(), "llm")}
    told_elsewhere = {"retrieval.reranker"}
    return {
        name: value
        for name, value in release.settings.items()
        if value != usual.get(name) and name not in told_elsewhere
    }


def differences(then: Release, now: Release) -> dict[str, tuple[str, str]]:
    """What two releases do not share, by name: (then, now)."""
    before, after = _stated(then), _stated(now)
    names = sorted(before.keys() | after.keys())
    pairs = {name: (before.get(name, ""), after.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _stated(release: Release) -> dict[str, str]:
    parts = {f"part {name}": version for name, version in release.parts.items()}
    own = {"code": release.code_sha256, "provider": release.provider, "prompt": release.prompt}
    return {**own, "embedders": release.embedder, **release.settings, **parts}


@cache
def code_sha256() -> str:
    """The hash of every source file of the rooms that serve: a change that was not committed changes it, too."""
    root = Path(__file__).parent.parent
    hashed = hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in (root / room).rglob("*") if path.suffix in _SOURCES):
        hashed.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return hashed.hexdigest()


def _flat(model: BaseModel, prefix: str) -> dict[str, str]:
    """Every leaf of a settings model under its dotted name."""
    found: dict[str, str] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        found |= _flat(value, f"{prefix}.{name}") if isinstance(value, BaseModel) else {f"{prefix}.{name}": str(value)}
    return found


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
