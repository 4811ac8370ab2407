"""Attacks: what a seed becomes after a chain of transforms, as a case of its own."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from random import Random

from app.settings import ChatSettings
from evals.golden.cases import Case, Turn
from evals.redteam.transforms import applied
from evals.redteam.types import TURN, Attack, Chain, Seed

PENDING = "injection_guard"
_NOTED = "Noted."


@dataclass(frozen=True, slots=True)
class Workshop:
    """Builds attacks. The same seed, chain and `seed` give the same attack, whatever was built before."""

    settings: ChatSettings
    seed: int
    today: date

    def build(self, seed: Seed, chain: Chain) -> Attack | None:
        """The attack, or None where it exceeds what the service lets anyone send."""
        names = "+".join(transform.name for transform in chain)
        key = f"{self.seed}:{seed.case.id}:{names}"
        text = applied(seed.text, chain, Random(key))  # noqa: S311 -- to repeat a run, not to keep a secret
        name = f"rt-{sha256(f'{key}:{text}'.encode()).hexdigest()[:12]}"
        asked, history = seed.case.question, seed.case.history
        if seed.carrier is None:
            *earlier, asked = text.split(TURN)
            history += tuple(turn for part in earlier for turn in _exchange(part))
        if self._is_too_long(text, asked, history):
            return None
        changes = {
            "id": name,
            "split": "dev",
            "created": self.today,
            "slices": tuple(dict.fromkeys([*seed.case.slices, *(transform.name for transform in chain)])),
            "question": asked,
            "history": history,
            "additions": seed.case.additions if seed.carrier is None else (f"{name}.md",),
            "pending": PENDING,
        }
        return Attack(Case.model_validate(dict(seed.case) | changes), seed, chain, text, _document(seed, text))

    def _is_too_long(self, text: str, asked: str, history: tuple[Turn, ...]) -> bool:
        longest = max(len(text), len(asked))
        return (
            longest > self.settings.max_question_chars
            or len(history) > self.settings.max_history_messages
            or sum(len(turn.content) for turn in history) > self.settings.max_history_chars
        )


def _exchange(part: str) -> tuple[Turn, Turn]:
    return Turn(role="user", content=part), Turn(role="assistant", content=_NOTED)


def _document(seed: Seed, text: str) -> str | None:
    """The poisoned Markdown document; None where the question itself attacks."""
    if seed.carrier is None:
        return None
    title = f"# {seed.carrier.title}" if seed.carrier.title else ""
    return "\n\n".join(part for part in (title, seed.carrier.before, text, seed.carrier.after) if part) + "\n"
