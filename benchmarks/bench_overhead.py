"""What the whole pipeline adds to a model that takes 300 ms, beside a bare call and beside LiteLLM's proxy.

    python benchmarks/bench_overhead.py --folder /tmp/overhead [--calls 200] [--at-once 1] [--search "words only"]

One model server on loopback answers every call after 300 ms. The same openai client asks it directly, through LiteLLM's
proxy and through `assay serve` over the handbook (search, prompt, verification, citations, record), in turns that
alternate, each server in a process of its own. LiteLLM comes from PyPI into `FOLDER/litellm`, a virtual environment of
its own; without --folder it is left out. Take the numbers from a quiet machine.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from openai import AsyncOpenAI

from benchmarks.bench_chaos import HANDBOOK, ROOT, questions, upstream

LATENCY_S = 0.3
LITELLM = "litellm[proxy]==1.108.7"
WARM_UP = 10
SEARCHES = {
    "as shipped": {},
    "no reranker": {"ASSAY_RETRIEVAL__RERANK__ENABLED": "false"},
    "words only": {
        "ASSAY_RETRIEVAL__RERANK__ENABLED": "false",
        "ASSAY_RETRIEVAL__WEIGHTS": '{"minilm": 0, "bge": 0}',
    },
}
"""How much of the time is the search's: the models of the first two run on the processor that serves."""
START_S = 180


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def started(command: list[str], ready: str, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A server, from when it says that it is ready."""
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said, env=environment) as process:
        try:
            deadline = time.monotonic() + START_S
            while True:
                assert process.poll() is None, f"{command[0]} ended: see {log}"
                assert time.monotonic() < deadline, f"{command[0]} is not ready after {START_S} s: see {log}"
                try:
                    if httpx.get(ready, timeout=2).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                time.sleep(0.5)
            yield
        finally:
            process.terminate()


def litellm_in(folder: Path) -> Path:
    """LiteLLM's program, installed into an environment of its own where it is not there yet."""
    program = folder / "litellm" / "bin" / "litellm"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "litellm")], check=True)
        subprocess.run([str(program.with_name("pip")), "install", "--quiet", LITELLM], check=True)
    return program


@contextmanager
def litellm_proxy(folder: Path, base_url: str) -> Iterator[str]:
    port = free_port()
    served = {
        "model_name": "large",
        "litellm_params": {"model": "openai/large", "api_base": base_url, "api_key": "none"},
    }
    config = folder / "litellm.yaml"
    # Without a key, as Assay on loopback: neither looks one up.
    local = {"dangerously_permit_weak_or_unset_master_key": True}
    settings = {"model_list": [served], "litellm_settings": {"telemetry": False}, "general_settings": local}
    config.write_text(json.dumps(settings))
    command = [str(litellm_in(folder)), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_LOG": "ERROR"}
    with started(command, f"http://127.0.0.1:{port}/health/liveliness", plain | offline, folder / "litellm.log"):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def assay(folder: Path, base_url: str, search: dict[str, str]) -> Iterator[str]:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")} | {
        "PYTHONPATH": str(ROOT),
        "ASSAY_HOME": str(folder / "home"),
        "ASSAY_PORT": str(port),
        "ASSAY_LLM__PROVIDER": "openai_compatible",
        "ASSAY_LLM__BASE_URL": base_url,
        "ASSAY_LLM__MODEL": "large",
        **search,
    }
    command = [sys.executable, "-m", "app.cli"]
    ingest = [*command, "ingest", str(HANDBOOK / "corpus")]
    subprocess.run(ingest, env=environment, check=True, capture_output=True)
    with started([*command, "serve"], f"http://127.0.0.1:{port}/readyz", environment, folder / "assay.log"):
        yield f"http://127.0.0.1:{port}/v1"


class Paths:
    """The ways to the same model, each asked in turn with the same client."""

    def __init__(self, addresses: dict[str, tuple[str, str]]) -> None:
        self.clients = {
            name: (AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=60), model)
            for name, (url, model) in addresses.items()
        }
        self.seconds: dict[str, list[float]] = {name: [] for name in addresses}
        text = next((HANDBOOK / "corpus").rglob("*.md")).read_text("utf-8")[:6_000]
        self.prompt = f"Answer from this text.\n{text}\n"
        """For those who search nothing: about as long as the prompt that we send."""

    async def call(self, name: str, question: str) -> None:
        client, model = self.clients[name]
        content = question if name.startswith("assay") else self.prompt + question
        began = time.perf_counter()
        done = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
        self.seconds[name].append(time.perf_counter() - began)
        assert done.choices[0].message.content

    async def all(self, calls: int, at_once: int) -> None:
        asked = questions()
        for name in self.clients:
            for number in range(WARM_UP):
                await self.call(name, asked[number])
            self.seconds[name].clear()
        for start in range(0, calls, at_once):
            for name in self.clients:  # one after the other: they share the machine
                await asyncio.gather(*(self.call(name, asked[n % len(asked)]) for n in range(start, start + at_once)))


def rows(seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Milliseconds that each way adds to the model's own time."""
    found = []
    for name, of in seconds.items():
        added = (np.array(of) - LATENCY_S) * 1000
        p50, p90, p99 = (float(np.percentile(added, at)) for at in (50, 90, 99))
        found.append({"way": name, "calls": len(of), "p50_ms": p50, "p90_ms": p90, "p99_ms": p99})
    return found


def table(found: list[dict[str, Any]]) -> str:
    lines = ["| added to a model of 300 ms, in ms | p50 | p90 | p99 | calls |", "|---|---|---|---|---|"]
    lines += [
        f"| {r['way']} | {r['p50_ms']:.1f} | {r['p90_ms']:.1f} | {r['p99_ms']:.1f} | {r['calls']} |" for r in found
    ]
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--folder", type=Path, help="Where LiteLLM's environment is made.")
    arguments.add_argument("--calls", type=int, default=100)
    arguments.add_argument("--at-once", type=int, default=1)
    arguments.add_argument("--search", nargs="*", choices=SEARCHES, default=list(SEARCHES))
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = stack.enter_context(upstream("--calm", str(LATENCY_S))) + "/v1"
        ways = {"bare openai client": (model, "large")}
        if given.folder:
            given.folder.mkdir(parents=True, exist_ok=True)
            ways["LiteLLM proxy"] = (stack.enter_context(litellm_proxy(given.folder, model)), "large")
        for search in given.search:
            ways[f"assay, {search}"] = (stack.enter_context(assay(folder, model, SEARCHES[search])), "assay")
        paths = Paths(ways)
        asyncio.run(paths.all(given.calls, given.at_once))
    found = rows(paths.seconds)
    print(json.dumps(found, indent=2) if given.json else table(found))


if __name__ == "__main__":
    main()
