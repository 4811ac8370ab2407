"""The Inspect AI half of bench_harness.py. Runs in an environment of its own, which needs only inspect-ai==0.3.285.

python benchmarks/inspect_side.py CASES.jsonl

Prints JSON: cases, seconds of one whole `eval` (after one over 20 cases, so that nothing is loaded in it), accuracy,
and the version. Logs go to a temporary folder; no server is opened and nothing is displayed.
"""

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import exact
from inspect_ai.solver import generate


def run(cases: list[dict[str, str]], folder: str):
    says = {case["question"]: case["says"] for case in cases}

    def answer(messages, tools, tool_choice, config):
        output = ModelOutput.from_content("mockllm", says[messages[-1].text])
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # or it would count them itself
        return output

    samples = [Sample(input=case["question"], target=case["gold"], id=case["id"]) for case in cases]
    return evaluate(
        Task(dataset=MemoryDataset(samples), solver=generate(cache=False), scorer=exact(), name="harness"),
        model=get_model("mockllm/model", custom_outputs=answer, memoize=False),
        log_dir=folder,
        display="none",
        log_level="error",
        acp_server=False,
        ctl_server=False,
    )[0]


def main() -> None:
    cases = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        run(cases[:20], folder)
        began = time.perf_counter()
        log = run(cases, folder)
        seconds = time.perf_counter() - began
    if log.status != "success" or log.results is None:
        sys.exit(f"inspect: {log.status}: {log.error}")
    accuracy = next(iter(log.results.scores[0].metrics.values())).value
    print(
        json.dumps(
            {
                "cases": log.results.completed_samples,
                "seconds": seconds,
                "accuracy": accuracy,
                "version": version("inspect-ai"),
            }
        )
    )


if __name__ == "__main__":
    main()
