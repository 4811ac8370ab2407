"""The commands of `evals`, one file per subject. With evals/cli.py the only door to typer."""
