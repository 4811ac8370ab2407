"""The shipped models load, are monotone in what speaks for an answer, and refuse files that are not theirs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deciding.joined import WITH_PAIRS, WITHOUT_PAIRS
from app.deciding.model import load
from app.deciding.signals import NAMES
from app.errors import ConfigError

VALUES = st.fixed_dictionaries({name: st.floats(-3, 3) for name in NAMES})


@pytest.mark.parametrize("path", [WITH_PAIRS, WITHOUT_PAIRS])
@given(values=VALUES, more=st.floats(0, 3))
def test_probabilities_are_bounded_and_rise_with_the_cosine(path: Path, values: dict[str, float], more: float) -> None:
    model = load(path, NAMES)
    raised = {**values, "cosine_best": values["cosine_best"] + more}
    assert 0 <= model.probability(values) <= model.probability(raised) <= 1
    assert 0 < model.threshold < 1 and len(model.version) == 12


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format": 2}', '{"format": 1, "signals": {"x": [0, 1, 1]}, "intercept": 0, "threshold": 0.5}'],
)
def test_a_file_that_is_no_model_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"weights\.json"):
        load(path, NAMES)
