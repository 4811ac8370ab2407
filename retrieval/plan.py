"""What one ingest is about to make of a corpus."""

from collections.abc import Collection
from dataclasses import replace

from retrieval.entrance import Entrance
from retrieval.errors import ParseFailure
from retrieval.sources.port import SourceFile, origin
from retrieval.store.rows import Member
from retrieval.types import Quarantined, ReasonCode, Stage


class CorpusState:
    """The corpus as the ingest is about to leave it, with counts of what changed."""

    def __init__(self, members: dict[str, Member]) -> None:
        self.members = members
        self.seen: set[str] = set()
        self.quarantined: list[Quarantined] = []
        self.added = self.changed = self.unchanged = self.removed = 0

    def put(self, member: Member) -> None:
        """Take in a parsed document, new or in place of its old version."""
        self.seen.add(member.uri)
        if member.uri in self.members:
            self.changed += 1
        else:
            self.added += 1
        self.members[member.uri] = member

    def keep(self, member: Member) -> None:
        """Note a file whose bytes are those of last time; it may lie in another folder now."""
        self.seen.add(member.uri)
        self.unchanged += 1
        self.members[member.uri] = member

    def quarantine(self, uri: str, code: ReasonCode, detail: str, stage: Stage) -> None:
        """Note a file that could not become a document; an old version of it stays."""
        self.quarantined.append(Quarantined(uri, code, detail, stage))

    def failed(self, uri: str, failure: ParseFailure, entrance: Entrance) -> None:
        """Note a file that did not become a document; what personal data is left in it must not serve on."""
        if failure.code is ReasonCode.NOT_SCRUBBED:
            self.withdraw(uri, failure.code, failure.detail, failure.stage)
        else:
            self.quarantine(uri, failure.code, failure.detail, failure.stage)
        self.quarantined[-1] = replace(self.quarantined[-1], uri=entrance.shown(uri))

    def keep_or_withdraw(self, known: Member, file: SourceFile, entrance: Entrance) -> None:
        """Note a file whose bytes are those of last time, under the labels that it has now."""
        try:
            self.keep(entrance.kept(known, file))
        except ParseFailure as failure:
            self.failed(known.uri, failure, entrance)

    def withdraw(self, uri: str, code: ReasonCode, detail: str, stage: Stage = Stage.READ) -> None:
        """Quarantine a file and its old version with it: nobody knows who may see it, or what is in it."""
        self.quarantine(uri, code, detail, stage)
        self.removed += self.members.pop(uri, None) is not None

    def withdraw_stale(self, entrance: Entrance) -> None:
        """Quarantine the documents that came in before the corpus had this door."""
        for uri in [uri for uri, member in self.members.items() if entrance.stale(member)]:
            detail = "came in before this policy for personal data: ingest it again"
            self.failed(uri, ParseFailure(ReasonCode.NOT_SCRUBBED, detail, Stage.SCRUB), entrance)

    def forget(self, uri: str, receipt: str) -> None:
        """Refuse a file that was erased; what of it came in otherwise goes too."""
        self.quarantine(uri, ReasonCode.FORGOTTEN, f"Erased under the receipt {receipt}.", Stage.READ)
        self.removed += self.members.pop(uri, None) is not None

    def prune(self, sources: Collection[str], uris: set[str]) -> None:
        """Drop the documents of `sources` whose files are not among `uris` any more."""
        gone = [uri for uri, member in self.members.items() if origin(member.source) in sources and uri not in uris]
        for uri in gone:
            del self.members[uri]
        self.removed += len(gone)

    def sorted(self) -> list[Member]:
        """The documents tenant by tenant, in the order of their uris."""
        return sorted(self.members.values(), key=lambda member: (member.labels.tenant, member.uri))
