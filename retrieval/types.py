"""The words of the retrieval room. Offsets count Unicode code points of the canonical text, end exclusive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a file was quarantined. Documented in docs/documents.md."""

    ENCRYPTED = "encrypted"
    CORRUPT = "corrupt"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    UNSUPPORTED = "unsupported"
    BOMB = "bomb"
    UNREADABLE = "unreadable"
    DUPLICATE_URI = "duplicate_uri"
    BROKEN_LABELS = "broken_labels"
    NOT_SCRUBBED = "not_scrubbed"
    FORGOTTEN = "forgotten"


class Stage(StrEnum):
    """The step of an ingest at which a file failed."""

    READ = "read"
    DETECT = "detect"
    PARSE = "parse"
    SCRUB = "scrub"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading: where it stands in the canonical text, its level (1 is the top) and its words."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class PageSpan:
    """A page, slide, sheet or chapter: text[start:end] stands on it. `label` is what a reader calls it."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class ParsedText:
    """What a parser makes of a file: canonical text with its map of pages and headings."""

    text: str
    media_type: str
    title: str = ""
    language: str = ""
    sections: tuple[Section, ...] = ()
    pages: tuple[PageSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file that was read and parsed. `modified` is in UTC."""

    sha256: str
    modified: datetime
    parsed: ParsedText


@dataclass(frozen=True, slots=True)
class Place:
    """From `start` on, the page and the section are these."""

    start: int
    page: str | None
    section: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document. `doc_id` names the document for life, `version` this content of it."""

    doc_id: str
    version: str
    uri: str
    sha256: str
    parser: str
    modified: datetime
    parsed: ParsedText

    @property
    def title(self) -> str:
        """The document's own title, or the last part of its uri."""
        return self.parsed.title or self.uri.rsplit("/", 1)[-1]

    def page_at(self, offset: int) -> str | None:
        """The label of the page that holds `offset`, or None where the format has no pages."""
        for page in self.parsed.pages:
            if page.start <= offset < page.end:
                return page.label
        return None

    def section_at(self, offset: int) -> str | None:
        """The path of headings above `offset` ("Splitting > By time"), or None before the first heading."""
        path: list[Section] = []
        for section in self.parsed.sections:
            if section.start > offset:
                break
            path = [above for above in path if above.level < section.level] + [section]
        return " > ".join(section.title for section in path) or None

    def places(self, start: int, end: int) -> tuple[Place, ...]:
        """Where page or section changes after `start` and before `end`."""
        bounds = {page.start for page in self.parsed.pages} | {section.start for section in self.parsed.sections}
        inside = sorted(bound for bound in bounds if start < bound < end)
        return tuple(Place(bound, self.page_at(bound), self.section_at(bound)) for bound in inside)


Attribute = str | int | float | bool
"""A value that metadata may have. Dates are ISO 8601 strings; a list is stated as its comma-separated form."""
SHARED = "*"
"""The tenant of documents that every tenant sees."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks. A service without tenants asks as the tenant "" and sees what has none."""

    tenant: str = ""
    groups: frozenset[str] = frozenset()

    def sees(self, labels: "Labels") -> bool:
        """Whether a document with these labels may be shown: the tenant's or shared, and open or for one's group."""
        return labels.tenant in (self.tenant, SHARED) and (
            not labels.groups or not self.groups.isdisjoint(labels.groups)
        )


NOBODY = Access()


@dataclass(frozen=True, slots=True)
class Labels:
    """What is said of a document beside its text: whose it is, which groups may see it (none: all), its attributes."""

    tenant: str = ""
    groups: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def access(self) -> Access:
        """The access of one who may see the document."""
        return Access(self.tenant, frozenset(self.groups))


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and what the same person asked before it in the conversation, oldest first."""

    text: str
    earlier: tuple[str, ...] = ()


UNLABELLED = Labels()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may find: what `access` sees and, of that, what has all of `where`; in which snapshot (or None)."""

    access: Access = NOBODY
    where: Mapping[str, Attribute] = field(default_factory=dict)
    snapshot: str | None = None

    def admits(self, labels: Labels) -> bool:
        """Whether a document with these labels may be found."""
        return self.access.sees(labels) and all(
            labels.attributes.get(name) == value for name, value in self.where.items()
        )


OPEN = Scope()  # what a service without tenants searches: all that no tenant and no group owns


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document version: `text == canonical_text[start:end]`; `context` (title, section) is indexed too."""

    doc_id: str
    version: str
    start: int
    end: int
    text: str
    context: str = ""

    @property
    def indexed_text(self) -> str:
        """What embedders and BM25 see."""
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk: fused `score` in [0, 1], raw ones by retriever, page and section of its first character."""

    doc_id: str
    uri: str
    title: str
    snapshot: str
    start: int
    end: int
    text: str
    page: str | None
    section: str | None
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    places: tuple[Place, ...] = ()  # where page and section change further on

    def place_at(self, offset: int) -> Place:
        """The page and section of a character of the canonical text."""
        here = Place(self.start, self.page, self.section)
        for place in self.places:
            if place.start > offset:
                break
            here = place
        return here


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first, and the one snapshot that it searched."""

    snapshot: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file that could not become a document, and why."""

    uri: str
    code: ReasonCode
    detail: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An immutable state of a corpus. The id is the hash of its manifest: same content, same id."""

    id: str
    corpus: str
    created: datetime
    documents: int
    chunks: int


class Severity(StrEnum):
    """What a broken rule of a contract does: an error keeps the old snapshot serving, a warning is listed."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule of a contract that is broken: by how many documents, and the uris of some."""

    rule: str
    severity: Severity
    message: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. `documents` and `chunks` count the whole snapshot; the others what changed."""

    snapshot: str
    documents: int
    chunks: int
    added: int
    changed: int
    unchanged: int
    removed: int
    embedded: int
    quarantined: tuple[Quarantined, ...]
    seconds: float
    breaches: tuple[Breach, ...] = ()
    switched: bool = True  # False: the contract stopped it, and `snapshot` is the one that serves, "" for none
    personal_data: Mapping[str, int] = field(default_factory=dict)
    """What the door of the corpus found in new documents, by kind."""
