"""From what a user names to files to ingest: the explicit table of sources."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from retrieval.config import RetrievalSettings
from retrieval.errors import SourceFailed
from retrieval.sources.folder import FolderSource
from retrieval.sources.git import GitSource
from retrieval.sources.port import Budget, Listing, Progress, Source
from retrieval.sources.s3 import S3Source
from retrieval.sources.sitemap import SitemapSource

Environment = Mapping[str, str]
Parse = Callable[[str, RetrievalSettings, Environment], Source]


def _git(named: str, _: RetrievalSettings, environment: Environment) -> Source:
    return GitSource.parse(named, environment)


def _sitemap(named: str, _: RetrievalSettings, __: Environment) -> Source:
    return SitemapSource.parse(named)


def _s3(named: str, settings: RetrievalSettings, _: Environment) -> Source:
    return S3Source.parse(named, settings.sources.s3_endpoint)


SCHEMES: Mapping[str, Parse] = {
    "git+https": _git,
    "git+ssh": _git,
    "git+file": _git,
    "sitemap+https": _sitemap,
    "sitemap+http": _sitemap,
    "s3": _s3,
}


def is_remote(named: str) -> bool:
    """Whether a name has a scheme: all others are paths."""
    return "://" in named


def open_source(named: str, settings: RetrievalSettings, environment: Environment) -> Source:
    """The source that a name stands for.

    Raises:
        SourceFailed: Its scheme is unknown, or the name is not of its scheme's form.
    """
    if not is_remote(named):
        return FolderSource(named)
    scheme = named.split("://", 1)[0].lower()
    if scheme not in SCHEMES:
        raise SourceFailed(f"Sources begin with one of {', '.join(f'{name}://' for name in SCHEMES)}; or name a path.")
    try:
        urlsplit(named).port  # noqa: B018  # raises where it is no number
        return SCHEMES[scheme](named, settings, environment)
    except ValueError:  # its message would repeat the name, and with it what is secret there
        raise SourceFailed(f"This {scheme}:// name is not a URL.") from None


@contextmanager
def gathered(
    names: Sequence[str], settings: RetrievalSettings, environment: Environment, progress: Progress | None = None
) -> Iterator[Listing]:
    """What all the named sources hold; what was copied here for it is removed afterwards.

    Raises:
        SourceFailed: A source cannot be read.
        PathNotFound: A path or pattern matches nothing.
    """
    report = progress or (lambda step, done, total: None)
    sources = [open_source(named, settings, environment) for named in names]
    with TemporaryDirectory(prefix="assay-source-", ignore_cleanup_errors=True) as staging:
        listings = []
        for number, source in enumerate(sources):
            folder = Path(staging) / str(number)
            folder.mkdir()
            budget = Budget(settings.sources, settings.parse.max_file_bytes)
            listings.append(source.fetch(folder, budget, report))
        yield Listing(
            tuple(file for listing in listings for file in listing.files),
            frozenset().union(*(listing.prunable for listing in listings)),
            tuple(note for listing in listings for note in listing.notes),
        )
