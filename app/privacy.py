"""The doors of corpora: what the guard room finds, the retrieval room takes out before it stores anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.store.seal import key_file
from guardrails.checks.pii import PiiPatterns
from retrieval.config import PrivacySettings
from retrieval.redaction import Door, PiiPolicy, PiiSpan, placeholder, replaced

KEY_FILE = "pseudonyms.key"


@dataclass(frozen=True, slots=True)
class PatternScrubber:
    """The guard room's patterns as the retrieval room asks for them."""

    patterns: PiiPatterns

    @property
    def fingerprint(self) -> str:
        """That of the patterns."""
        return self.patterns.fingerprint

    def find(self, text: str) -> Sequence[PiiSpan]:
        """Personal data in a text."""
        return [PiiSpan(found.start, found.end, found.kind) for found in self.patterns.find(text)]


def redacted(text: str, patterns: PiiPatterns) -> str:
    """A text with `[EMAIL]` and the like in place of personal data.

    Raises:
        GuardError: It could not be looked through.
    """
    return replaced(text, PatternScrubber(patterns).find(text), placeholder)[0]


@dataclass(frozen=True, slots=True)
class Doors:
    """The door of each corpus that has one."""

    settings: PrivacySettings
    patterns: PiiPatterns
    keys: Path
    """The folder of keys: whoever has the key of pseudonyms can try values out."""

    def __call__(self, corpus: str) -> Door | None:
        """The corpus's door; None where personal data is left alone.

        Raises:
            ConfigError: The key of pseudonyms cannot be read or made.
        """
        policy = PiiPolicy(self.settings.corpora.get(corpus, self.settings.policy))
        if policy is PiiPolicy.OFF:
            return None
        key = key_file(self.keys / KEY_FILE) if policy is PiiPolicy.PSEUDONYMISE else b""
        return Door(policy, PatternScrubber(self.patterns), key)
