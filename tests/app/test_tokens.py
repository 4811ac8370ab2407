import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from app import tokens
from app.errors import ConfigError
from app.tokens import count_tokens


def test_counts_known_texts() -> None:
    assert count_tokens("") == 0
    assert count_tokens("hello world") == 2
    assert count_tokens("The pump comes with a warranty of 24 months.") == 11


def test_special_tokens_in_text_are_plain_text() -> None:
    assert count_tokens("<|endoftext|>") > 1


def test_lone_surrogates_are_counted() -> None:
    assert count_tokens("\ud800 x") > 0


def test_a_long_run_of_spaces_does_not_bring_tiktoken_down() -> None:
    # tiktoken alone panics here, with an exception that is no Exception.
    assert count_tokens(" " * 1_000_000) > 1_000


def test_slices_change_the_count_by_no_more_than_their_number() -> None:
    text = "The pump comes with a warranty of 24 months. " * 6_000
    whole = len(tokens._encoding().encode_ordinary(text))
    assert whole <= count_tokens(text) <= whole + len(text) // tokens._SLICE_CHARS


@pytest.mark.parametrize("spec", [None, ModuleSpec("llama_index.core", None, origin="/nowhere/__init__.py")])
def test_a_missing_vocabulary_is_an_error_and_no_download(
    monkeypatch: pytest.MonkeyPatch, spec: ModuleSpec | None
) -> None:
    monkeypatch.setattr(tokens.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ConfigError, match="pip install"):
        tokens._bundled_cache()


def test_importing_is_cheap_and_counting_imports_no_llama_index() -> None:
    code = (
        "import sys, app.tokens\n"
        "assert 'tiktoken' not in sys.modules\n"
        "app.tokens.count_tokens('x')\n"
        "assert 'tiktoken' in sys.modules and 'llama_index.core' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
