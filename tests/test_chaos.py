"""A miniature of benchmarks/bench_chaos.py: turns end in time and leave nothing behind, whatever the models do."""

from pathlib import Path

from benchmarks.bench_chaos import run, services_over_handbook, upstream


async def test_turns_end_in_time_whatever_the_models_do(tmp_path: Path) -> None:
    with upstream("--seed", "3") as base_url:
        services = services_over_handbook(tmp_path / "home", base_url)
        try:
            report = await run(services, base_url, turns=66, concurrency=8, deadline_s=1.0)
        finally:
            services.close()
    assert report.broken == []
    assert len(report.upstream) > 5, "several manners were met"
    assert {"extractive", "cut_short"} & report.steps.keys()
