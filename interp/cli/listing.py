"""`interp list`: the engines and tasks, as CSV or as the README's tables."""

import csv
import math
import sys
from collections.abc import Sequence
from typing import Any

from interp.cli.shared import Parser


def main(arguments: Sequence[str]) -> None:
    """Print every engine and task."""
    from interp.engines import all_engines
    from interp.groundtruth import score_of
    from interp.tasks import TASKS

    parser = Parser(prog="interp list")
    parser.add_argument(
        "--format",
        choices=("csv", "markdown", "scorecard"),
        default="csv",
        help="markdown prints the engines only; scorecard, how well they find what is known, as Markdown too",
    )
    form = parser.parse_args(arguments).format
    if form != "csv":
        sys.stdout.write(engines_as_markdown() if form == "markdown" else scores_as_markdown())
        return
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["kind", "name", "summary", "source", "score"])
    for spec in all_engines().values():
        table.writerow(["engine", spec.name, spec.summary, spec.source, score_of(spec.name)])
    table.writerows(["task", task.name, task.summary, task.source, ""] for task in TASKS)


def engines_as_markdown() -> str:
    """A table of every engine: what it measures, what its numbers add up to, its source."""
    from interp.engines import all_engines

    rows = [f"| `{spec.name}` | {spec.summary} | {spec.conserves} | {spec.source} |" for spec in all_engines().values()]
    return "\n".join(["| name | what it measures | adds up to | source |", "|---|---|---|---|", *rows, ""])


def scores_as_markdown() -> str:
    """The packaged scorecard as a table: methods by what they find, best first."""
    from interp.groundtruth import scores

    frame: Any = scores().to_frame("overall").sort_values(["overall_auc", "method"], ascending=[False, True])
    lines = ["| finds | method | AUC | average precision | precision | models | cost |", "|---" * 7 + "|"]
    for finds in dict.fromkeys(scores().data["finds"].values):
        lines += map(_row_of_scores, frame[(frame.finds == finds) & (frame.models > 0)].to_dict(orient="records"))
    return "\n".join([*lines, ""])


def _row_of_scores(row: dict[str, Any]) -> str:
    name = f"`{row['engine']}`" if row["engine"] else row["method"].partition(" ")[0]
    numbers = ["{overall_auc:.2f} [{overall_auc_low:.2f}, {overall_auc_high:.2f}]", "{overall_average_precision:.2f}",
               "{overall_precision:.2f}"]  # fmt: skip
    if math.isnan(row["overall_auc"]):
        numbers = ["{overall_error:.0e} off", "", ""]
    cells = [row["finds"], name, *(cell.format(**row) for cell in numbers), f"{row['models']}"]
    return f"| {' | '.join(cells)} | {row['overall_cost']:.3g} |"
