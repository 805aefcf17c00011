"""`interp list`: the engines and tasks, as CSV or as the README's table."""

import csv
import sys
from collections.abc import Sequence

from interp.cli.shared import Parser


def main(arguments: Sequence[str]) -> None:
    """Print every engine and task."""
    from interp.engines import all_engines
    from interp.tasks import TASKS

    parser = Parser(prog="interp list")
    parser.add_argument("--format", choices=("csv", "markdown"), default="csv", help="markdown prints the engines only")
    if parser.parse_args(arguments).format == "markdown":
        sys.stdout.write(engines_as_markdown())
        return
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["kind", "name", "summary", "source"])
    table.writerows(["engine", spec.name, spec.summary, spec.source] for spec in all_engines().values())
    table.writerows(["task", task.name, task.summary, task.source] for task in TASKS)


def engines_as_markdown() -> str:
    """A table of every engine: what it measures, what its numbers add up to, its source."""
    from interp.engines import all_engines

    rows = [f"| `{spec.name}` | {spec.summary} | {spec.conserves} | {spec.source} |" for spec in all_engines().values()]
    return "\n".join(["| name | what it measures | adds up to | source |", "|---|---|---|---|", *rows, ""])
