"""The ratchets: arrows, doors and sizes. Nothing here is raised to get a change in."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("app", "retrieval", "guardrails", "tools", "evals")
ALLOWED = {
    "evals": {"evals", "app", "retrieval", "guardrails", "tools"},
    "app": {"app", "retrieval", "guardrails", "tools"},
    "retrieval": {"retrieval"},
    "guardrails": {"guardrails"},
    "tools": {"tools"},
}
DOORS = {
    "fastapi": ("app/http/",),
    "starlette": ("app/http/",),
    "sse_starlette": ("app/http/",),
    "uvicorn": ("app/http/",),
    "typer": ("app/cli.py", "app/commands/", "evals/cli.py", "evals/commands/"),
    "sqlalchemy": ("app/store/", "retrieval/store/", "app/migrations/"),
    "alembic": ("app/store/", "app/migrations/"),
    "llama_index": (
        "retrieval/chunking.py",
        "retrieval/llama.py",
        "retrieval/index/llama.py",
        "app/llm/llama_index.py",
    ),
    "stamina": ("app/llm/resilient.py",),
    "sentence_transformers": ("retrieval/embedders/", "retrieval/rerankers/"),
    "torch": ("retrieval/embedders/", "retrieval/rerankers/"),
    "onnxruntime": ("retrieval/onnx.py",),
    "sklearn": ("evals/bench/groundedness.py",),
    "pymilvus": ("retrieval/index/milvus_server.py", "retrieval/index/milvus_rows.py"),
    "faiss": ("retrieval/index/faiss.py",),
    "psycopg": ("retrieval/index/postgres",),
    "pgvector": ("retrieval/index/postgres",),
    "bm25s": ("retrieval/index/bm25.py",),
    "Stemmer": ("retrieval/words.py",),
    "sentencex": ("app/sentences.py",),
    "tiktoken": ("app/tokens.py",),
    "spacy": ("app/highlight.py",),
    "openai": ("app/llm/",),
    "httpx": ("app/llm/", "app/alerts.py", "retrieval/sources/web.py"),
    "openlineage": ("app/openlineage.py",),
    "requests": ("app/openlineage.py",),
    "protego": ("retrieval/sources/sitemap.py",),
    "minio": ("retrieval/sources/s3.py",),
    "watchfiles": ("retrieval/sources/watch.py",),
    "ray": ("retrieval/on_ray.py",),
    "xllamacpp": ("app/llm/",),
    "pebble": ("retrieval/workers.py",),
    "scipy": ("evals/", "retrieval/contract/drift.py"),
    "rapidfuzz": ("evals/scorers/",),
    "ragas": ("evals/scorers/ragas.py",),
    "datasketch": ("evals/golden/near.py", "retrieval/contract/"),
    "presidio_analyzer": ("guardrails/checks/pii.py",),
    "phonenumbers": ("guardrails/checks/pii.py",),
    "regex": ("guardrails/checks/pii.py",),
    "cryptography": ("app/signing.py",),
    "ftfy": ("retrieval/contract/profile.py",),
    "mlflow": ("evals/tracking.py",),
    "matplotlib": ("evals/report/drawing.py", "evals/report/figures.py"),
}
HEAVY = {
    "torch",
    "sentence_transformers",
    "llama_index",
    "ragas",
    "mlflow",
    "datasets",
    "matplotlib",
    "datasketch",
    "trafilatura",
    "pptx",
    "openai",
    "minio",
    "presidio_analyzer",
    "spacy",
    "ray",
    "openlineage",
    "requests",
}


def sources() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute: no hidden neighbours"
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def top_level_imports(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name for name, _ in imports(ast.Module(body=[node], type_ignores=[])))


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_imports_follow_the_arrows_and_doors(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    for name, line in imports(ast.parse(path.read_text(encoding="utf-8"))):
        package = name.split(".")[0]
        if package in ROOMS:
            assert package in ALLOWED[room], f"{name_of(path)}:{line} imports {name}"
        if package in DOORS:
            assert name_of(path).startswith(DOORS[package]), f"{name_of(path)}:{line}: {package} has another door"


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_heavy_imports_are_lazy(path: Path) -> None:
    named = {name.split(".")[0] for name in top_level_imports(ast.parse(path.read_text(encoding="utf-8")))}
    assert not named & HEAVY


def test_there_is_no_import_cycle() -> None:
    modules = {name_of(p).removesuffix(".py").replace("/", ".").removesuffix(".__init__"): p for p in sources()}
    graph = {
        module: {name for name, _ in imports(ast.parse(path.read_text(encoding="utf-8"))) if name in modules} - {module}
        for module, path in modules.items()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for other in graph[module]:
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if a.arg != "self"]
            # A command's parameters are its options: typer reads them from the signature.
            assert len(arguments) <= 7, f"{node.name} takes {len(arguments)} parameters"
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is longer than 60 lines"


def test_most_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[int(len(lengths) * 0.95)] <= 40


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    if name_of(path) in {"app/settings.py", "app/tokens.py"}:  # tokens tells tiktoken where its bundled files lie
        return
    assert not re.search(r"os\.environ|os\.getenv|getenv\(", path.read_text(encoding="utf-8"))


def test_only_bootstrap_joins_parts() -> None:
    callers = {
        name_of(path)
        for path in sources()
        if "app.bootstrap.build" in {n for n, _ in imports(ast.parse(path.read_text(encoding="utf-8")))}
    }
    assert callers <= {"app/commands/shared.py", "evals/cli.py", "app/http/server.py", "app/http/serve.py"}


def test_golden_sets_hold_data_only() -> None:
    assert not list((ROOT / "golden_sets").rglob("*.py"))
