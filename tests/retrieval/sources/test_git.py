"""Git: a commit's files, its hash as lineage, and nothing that a repository or a name can run."""

import os
from pathlib import Path

import pytest

from app.bootstrap import Services
from retrieval.config import ParseLimits, RetrievalSettings, SourceLimits
from retrieval.errors import SourceFailed
from retrieval.sources.gather import gathered, open_source
from retrieval.sources.git import GitSource
from retrieval.types import IngestReport, ReasonCode
from tests.retrieval.sources.conftest import Repository

RULES = RetrievalSettings()


def ingest(services: Services, *names: str, rules: RetrievalSettings = RULES, prune: bool = True) -> IngestReport:
    with gathered(names, rules, dict(os.environ)) as found:
        return services.ingestor.ingest(found.files, "default", prune=found.prunable if prune else ())


def sources(services: Services) -> dict[str, str]:
    return {m.uri: m.source for m in services.corpora.members("default", services.corpora.active("default"))}


def test_the_commit_becomes_the_source_and_what_vanished_is_pruned(services: Services, repository: Repository) -> None:
    first = repository.commit(a_md="# A\n\nAlpha is first.", sub__b_md="# B\n\nBeta is second.")
    report = ingest(services, repository.name)
    assert (report.added, sources(services)) == (
        2,
        {"a.md": f"{repository.name}@{first}", "sub/b.md": f"{repository.name}@{first}"},
    )
    second = repository.commit(a_md=None, c_md="# C\n\nGamma is third.")
    report = ingest(services, repository.name)
    assert (report.added, report.unchanged, report.removed) == (1, 1, 1)
    assert set(sources(services).values()) == {f"{repository.name}@{second}"}
    again = ingest(services, repository.name)
    assert (again.snapshot, again.embedded, again.unchanged) == (report.snapshot, 0, 2)


def test_a_ref_a_tag_a_commit_and_a_folder_can_be_named(services: Services, repository: Repository) -> None:
    first = repository.commit(docs__a_md="The old text of the document.", x_md="Elsewhere.")
    repository.git("tag", "v1/final")
    repository.commit(docs__a_md="The new text of the document.")
    for ref in (first, "v1/final", "main"):
        with gathered([f"{repository.name}@{ref}#subdirectory=docs"], RULES, dict(os.environ)) as found:
            (file,) = found.files
            text = file.path.read_text()
        assert (file.uri, "new" in text) == ("a.md", ref == "main")
    assert file.source.endswith("#subdirectory=docs")
    assert found.prunable == {f"{repository.name}#subdirectory=docs"}


def test_links_hidden_files_and_large_file_pointers_are_no_documents(
    services: Services, repository: Repository, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    (repository.folder / "link.txt").symlink_to(secret)
    (repository.folder / ".hidden.md").write_text("hidden")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    repository.commit(a_md="Plain text that stays.", big_md="x" * 2000, lfs_md=pointer)
    rules = RetrievalSettings(parse=ParseLimits(max_file_bytes=1000))
    report = ingest(services, repository.name, rules=rules)
    assert list(sources(services)) == ["a.md"]
    assert {(q.uri, q.code, q.detail) for q in report.quarantined} == {
        ("big.md", ReasonCode.UNREADABLE, "more than 1,000 bytes"),
        ("lfs.md", ReasonCode.UNREADABLE, "it is a Git LFS pointer"),
    }


def test_nothing_of_the_repository_or_the_users_configuration_runs(
    services: Services, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    repository.commit(a_md="Some text of the document.")
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\ntouch {ran}\nexec "$@"\n')
    script.chmod(0o755)
    for name in ("uploadpack.packObjectsHook", "core.fsmonitor", "core.sshCommand"):
        repository.git("config", name, str(script))
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    for hook in ("reference-transaction", "post-checkout"):
        (template / hook).symlink_to(script)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        f"[init]\ntemplateDir={template.parent}\n[core]\nhooksPath={template}\n[uploadpack]\npackObjectsHook={script}\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert ingest(services, repository.name).documents == 1
    assert not ran.exists()


def test_a_stopped_listing_prunes_nothing(services: Services, repository: Repository) -> None:
    repository.commit(a_md="Alpha comes first.", b_md="Beta comes second.")
    ingest(services, repository.name)
    few = RetrievalSettings(sources=SourceLimits(max_files=1))
    report = ingest(services, repository.name, rules=few)
    assert (report.removed, report.documents) == (0, 2)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (SourceLimits(max_bytes=1_000), "larger than max_bytes"),
        (SourceLimits(timeout_s=0.001), "took more than timeout_s"),
    ],
)
def test_a_fetch_over_a_bound_is_stopped(repository: Repository, limits: SourceLimits, said: str) -> None:
    (repository.folder / "noise.bin").write_bytes(os.urandom(3_000_000))
    repository.commit(a_md="Text.")
    with pytest.raises(SourceFailed, match=said), gathered([repository.name], RetrievalSettings(sources=limits), {}):
        pass


def test_two_repositories_with_one_uri_are_not_mixed(
    services: Services, repository: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "other")
    repository.commit(a_md="Alpha comes first.")
    other.commit(a_md="Another text altogether.")
    ingest(services, repository.name)
    assert [row.code for row in ingest(services, other.name).quarantined] == [ReasonCode.DUPLICATE_URI]


def test_what_is_not_there_is_one_line(repository: Repository) -> None:
    repository.commit(a_md="Text.")
    for name in (f"{repository.name}@nope", "git+file:///no/such", f"{repository.name}#subdirectory=nope"):
        with pytest.raises(SourceFailed, match=r"failed: |has no folder"), gathered([name], RULES, dict(os.environ)):
            pass


@pytest.mark.parametrize(
    "named",
    [
        "git+file:///repo@--upload-pack=touch",
        "git+file:///repo@a:b",
        "git+file:///repo@../x",
        "git+file:///repo#subdirectory=../x",
        "git+ssh://-oProxyCommand=touch/repo",
        "git+ssh://me:w0rd@host/repo",
        "git+https:///repo",
        "git+https://host/",
        "git+ext://sh/-c",
        "git+http://host/repo",
        "git+https://host:port/repo",
        "ftp://host/x",
    ],
)
def test_names_that_could_do_harm_are_refused(named: str) -> None:
    with pytest.raises(SourceFailed) as refused:
        open_source(named, RULES, {})
    assert "w0rd" not in str(refused.value)


def test_a_token_goes_into_a_header_of_the_environment_only() -> None:
    source = GitSource.parse("git+https://me:s3cr3t%21@host.example:8443/team/repo@main", {})
    assert (source.url, source.origin) == (
        "https://host.example:8443/team/repo",
        "git+https://host.example:8443/team/repo",
    )
    assert source.authorization == "Basic bWU6czNjcjN0IQ=="
    assert "czNjcjN0" not in repr(source)
    assert "s3cr3t" not in repr(source)
