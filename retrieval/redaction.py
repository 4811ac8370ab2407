"""Personal data at the door: what a scrubber finds in a parsed file is taken out before anything of it is stored.

Offsets keep their meaning: the redacted text is the document's canonical text, so citations count in what people may
see, and an `OffsetMap` leads from there to the characters of the file as it was parsed.
"""

import hashlib
import hmac
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from retrieval.types import Labels, PageSpan, ParsedText, Section


class PiiPolicy(StrEnum):
    """What is done about personal data in a corpus."""

    OFF = "off"
    FLAG = "flag"
    REDACT = "redact"
    PSEUDONYMISE = "pseudonymise"


@dataclass(frozen=True, slots=True)
class PiiSpan:
    """text[start:end] is personal data of a kind, such as EMAIL."""

    start: int
    end: int
    kind: str


class Scrubber(Protocol):
    """Finds personal data."""

    @property
    def fingerprint(self) -> str:
        """Names what it looks for and how: part of a document's version."""
        ...

    def find(self, text: str) -> Sequence[PiiSpan]:
        """The personal data of a text of any length, in any order; spans may overlap.

        Raises:
            Exception: Whatever it raises keeps the document out.
        """
        ...


@dataclass(frozen=True, slots=True)
class Edit:
    """original[start:end] became `length` characters."""

    start: int
    end: int
    length: int


@dataclass(frozen=True, slots=True)
class OffsetMap:
    """Leads between an original and its redacted text. `edits` are in order and disjoint."""

    edits: tuple[Edit, ...] = ()

    def to_redacted(self, offset: int) -> int:
        """Where a character of the original stands now; one that was replaced: where its replacement begins."""
        moved = 0
        for edit in self.edits:
            if offset < edit.end:
                return min(offset, edit.start) + moved if offset >= edit.start else offset + moved
            moved += edit.length - (edit.end - edit.start)
        return offset + moved

    def to_original(self, offset: int) -> int:
        """Where a character of the redacted text stood; one of a replacement: where the replaced characters begin."""
        starts, ends, moved = [], [], 0
        for edit in self.edits:
            starts.append(edit.start + moved)
            moved += edit.length - (edit.end - edit.start)
            ends.append((edit.end + moved, moved))
        at = bisect_right(starts, offset) - 1
        if at < 0:
            return offset
        end, moved_by = ends[at]
        return self.edits[at].start if offset < end else offset - moved_by


Name = Callable[[str, str], str]
"""What stands in place of a value: (kind, value) to a placeholder."""


def placeholder(kind: str, value: str) -> str:
    """The kind alone."""
    return f"[{kind}]"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The same value gets the same name within a tenant; without the key nobody can tell which value it was."""

    key: bytes
    tenant: str

    def __call__(self, kind: str, value: str) -> str:
        """The kind with six hexadecimal digits of a keyed hash (HMAC-SHA256) of tenant, kind and value."""
        said = f"{self.tenant}\0{kind}\0{' '.join(value.casefold().split())}".encode()
        return f"[{kind}-{hmac.new(self.key, said, hashlib.sha256).hexdigest()[:6]}]"


def replaced(text: str, spans: Sequence[PiiSpan], name: Name) -> tuple[str, OffsetMap]:
    """A text with its spans replaced, and how to get from one to the other. Overlapping spans become one."""
    pieces, edits, at = [], [], 0
    for span in _disjoint(spans):
        stands_in = name(span.kind, text[span.start : span.end])
        pieces += [text[at : span.start], stands_in]
        edits.append(Edit(span.start, span.end, len(stands_in)))
        at = span.end
    return "".join([*pieces, text[at:]]), OffsetMap(tuple(edits))


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What may be stored of a file: its text, labels and uri without personal data, and what was found, by kind."""

    parsed: ParsedText
    labels: Labels
    uri: str
    offsets: OffsetMap
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Door:
    """What a corpus's documents pass on their way in: a policy, and who finds personal data."""

    policy: PiiPolicy
    scrubber: Scrubber
    key: bytes
    """Of pseudonyms."""

    @property
    def transform(self) -> str:
        """Names what is done to a text; part of its version, so another policy makes other versions."""
        said = f"{self.policy} {self.scrubber.fingerprint}"
        if self.policy is PiiPolicy.PSEUDONYMISE:
            said += f" key {hashlib.sha256(b'fingerprint' + self.key).hexdigest()[:8]}"
        return f"{self.policy}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    def scrub(self, parsed: ParsedText, labels: Labels, uri: str) -> Scrubbed:
        """Take personal data out of all that will be stored of a file, or count it, as the policy says."""
        found: Counter[str] = Counter()
        name: Name = Pseudonyms(self.key, labels.tenant) if self.policy is PiiPolicy.PSEUDONYMISE else placeholder

        def clean(text: str) -> tuple[str, OffsetMap]:
            spans = _disjoint(self.scrubber.find(text)) if text else []
            found.update(span.kind for span in spans)
            return (text, OffsetMap()) if self.policy is PiiPolicy.FLAG else replaced(text, spans, name)

        text, offsets = clean(parsed.text)
        attributes = {
            key: clean(value)[0] if isinstance(value, str) else value for key, value in labels.attributes.items()
        }
        moved = replace(
            parsed,
            text=text,
            title=clean(parsed.title)[0],
            sections=tuple(_section(section, offsets, clean(section.title)[0]) for section in parsed.sections),
            pages=tuple(_page(page, offsets) for page in parsed.pages),
        )
        return Scrubbed(moved, replace(labels, attributes=attributes), clean(uri)[0], offsets, dict(found))


def no_door(corpus: str) -> Door | None:
    """For services that store documents as they are."""
    return None


def _section(section: Section, offsets: OffsetMap, title: str) -> Section:
    return Section(offsets.to_redacted(section.start), section.level, title)


def _page(page: PageSpan, offsets: OffsetMap) -> PageSpan:
    return PageSpan(offsets.to_redacted(page.start), offsets.to_redacted(page.end), page.label)


def _disjoint(spans: Sequence[PiiSpan]) -> list[PiiSpan]:
    """Spans in order, overlapping ones joined under the kind of the longer one."""
    joined: list[PiiSpan] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= span.end:
            continue
        if joined and span.start < joined[-1].end:
            before = joined[-1]
            longer = max((before, span), key=lambda s: s.end - s.start)
            joined[-1] = PiiSpan(before.start, max(before.end, span.end), longer.kind)
        else:
            joined.append(span)
    return joined
