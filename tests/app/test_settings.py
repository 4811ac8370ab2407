"""File < variables < arguments; what is wrong is named in one line."""

from pathlib import Path

import pytest

from app.errors import ConfigError
from app.settings import load_settings


def test_defaults_need_nothing() -> None:
    settings = load_settings()
    assert (settings.home, settings.port, settings.llm.provider) == (Path(".assay"), 8000, "extractive")


def test_arguments_beat_variables_beat_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("assay.yaml").write_text("port: 1\ncorpus: from-file\nllm: {model: from-file}\n", encoding="utf-8")
    monkeypatch.setenv("ASSAY_PORT", "2")
    monkeypatch.setenv("ASSAY_LLM__MODEL", "from-variable")
    settings = load_settings(port=3)
    assert (settings.port, settings.corpus, settings.llm.model) == (3, "from-file", "from-variable")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ASSAY_PORT", "many", "port"),
        ("ASSAY_CORPUS", "../up", "corpus"),
        ("ASSAY_LLM__TYPO", "x", "llm.TYPO|llm.typo"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=said):
        load_settings()


def test_a_broken_file_is_named() -> None:
    Path("assay.yaml").write_text("port: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="YAML"):
        load_settings()


def test_a_key_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_LLM__API_KEY", "sk-very-secret")
    assert "very-secret" not in repr(load_settings())
