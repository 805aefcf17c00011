"""`interp sandbox`: the tasks, their trainings on this disk, and the learning curves of one."""

import argparse
import sys
from collections.abc import Sequence

from interp.cli.shared import FORMATS, Parser, write, write_frame
from interp.core.errors import InterpError


def main(arguments: Sequence[str]) -> None:
    """List, or print curves."""
    parser = Parser(prog="interp sandbox")
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    listing = actions.add_parser("list", help="every task, and what has been trained on it")
    listing.add_argument("--format", choices=("csv", "json"), default="csv")
    listing.set_defaults(command=_list)
    curves = actions.add_parser("curves", help="the losses of a training by step")
    curves.add_argument("run", metavar="RUN", help="a name of `interp sandbox list`, or a folder")
    curves.add_argument("--table", help="classes, heads or predictors; by default the losses in all")
    curves.add_argument("--format", choices=FORMATS, default="csv", help="format of what is printed; default csv")
    curves.set_defaults(command=_curves)
    options = parser.parse_args(arguments)
    options.command(options)


def _list(options: argparse.Namespace) -> None:
    import pandas as pd

    from interp.models.sources import runs
    from interp.sandbox import TASKS, Run

    rows: list[tuple] = [("task", task.name, task.summary, "", task.seconds) for task in TASKS]
    for name in runs():
        try:
            run = Run(name)
        except InterpError as error:
            sys.stderr.write(f"warning: {error}\n")
            continue
        steps = " ".join(map(str, run.steps))
        seconds = run.report["seconds"] if run.report else None
        rows.append(("run", name, f"of {run.settings['task']}", steps, seconds))
    write_frame(pd.DataFrame(rows, columns=["kind", "name", "summary", "steps", "seconds"]), options.format)


def _curves(options: argparse.Namespace) -> None:
    from interp.sandbox import Run

    curves = Run(options.run).curves()
    write(curves, options.format, True, options.table)
    sys.stderr.write(f"{curves.measured}\n")
