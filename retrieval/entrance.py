"""How a parsed file becomes a document of a corpus: its ids, and the door that takes personal data out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from retrieval.errors import ParseFailure
from retrieval.ids import digest, document_id, version_of
from retrieval.parsing import PARSER
from retrieval.redaction import Door, OffsetMap, PiiPolicy, Scrubbed
from retrieval.sources.port import SourceFile
from retrieval.store.rows import Member
from retrieval.types import UNLABELLED, Document, Labels, ParsedFile, ParsedText, ReasonCode, Stage

_NOTHING = ParsedText("", "")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A document as it may be stored, its place in the corpus, and, where it passed a door, what was found there."""

    document: Document
    member: Member
    found: Mapping[str, int]
    offsets: OffsetMap


@dataclass(frozen=True, slots=True)
class Entrance:
    """Makes documents of a corpus. Without a door they are stored as they were parsed."""

    corpus: str
    door: Door | None = None

    @property
    def parser(self) -> str:
        """Names what made a text of a file: another door makes other versions, of the same bytes too."""
        return f"{PARSER} {self.door.transform}" if self.door else PARSER

    def admit(self, file: SourceFile, parsed: ParsedFile) -> Admitted:
        """The document of a file.

        Raises:
            ParseFailure: Personal data could not be taken out of it; nothing of it may be stored.
        """
        scrubbed = self._scrubbed(parsed.parsed, file.labels, file.uri)
        text = scrubbed.parsed
        version = version_of(text, parsed.sha256, self.parser)
        doc_id = document_id(self.corpus, file.uri)
        document = Document(doc_id, version, file.uri, parsed.sha256, self.parser, parsed.modified, text)
        member = Member(doc_id, version, file.uri, parsed.sha256, self.parser, file.source, scrubbed.labels)
        return Admitted(document, member, scrubbed.found, scrubbed.offsets)

    def kept(self, known: Member, file: SourceFile) -> Member:
        """The place of a document whose file is as it was; its folder and its labels may have changed.

        Raises:
            ParseFailure: Personal data could not be taken out of the labels.
        """
        return replace(known, source=file.source, labels=self._scrubbed(_NOTHING, file.labels, file.uri).labels)

    def shown(self, uri: str) -> str:
        """A uri as a list of failures may show it."""
        try:
            return self.door.scrub(_NOTHING, UNLABELLED, uri).uri if self.door else uri
        except Exception:  # noqa: BLE001 -- what cannot be looked through is not shown
            return f"file {digest(uri)}"

    def _scrubbed(self, text: ParsedText, labels: Labels, uri: str) -> Scrubbed:
        if self.door is None:
            return Scrubbed(text, labels, uri, OffsetMap(), {})
        try:
            scrubbed = self.door.scrub(text, labels, uri)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the document stays out
            detail = f"{type(error).__name__}: personal data could not be looked for"  # its words may quote the text
            raise ParseFailure(ReasonCode.NOT_SCRUBBED, detail, Stage.SCRUB) from None
        if scrubbed.uri != uri:
            raise ParseFailure(ReasonCode.NOT_SCRUBBED, "its name holds personal data: rename it", Stage.SCRUB)
        return scrubbed

    def stale(self, member: Member) -> bool:
        """Whether a document was stored before the door was there, so that it may hold what should be taken out."""
        return self.door is not None and self.door.policy is not PiiPolicy.FLAG and member.parser != self.parser
