"""`interp corpus stats`: sums over windows of text, in a folder that engines read."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from interp.cli.shared import CORPUS, Parser, add_model_flags, load_model, progress_bar, whole
from interp.core.errors import OptionError
from interp.core.paths import typed_path

if TYPE_CHECKING:
    from interp.corpus import Windows
    from interp.models import HookedModel


def main(arguments: Sequence[str]) -> None:
    """Sum up what a model does with windows of text."""
    parser = Parser(prog="interp corpus")
    actions = parser.add_subparsers(required=True, metavar="ACTION", parser_class=Parser)
    stats = actions.add_parser(
        "stats",
        help="the sums position-context needs: every layer's residual stream by position and by window",
        description="Run a model over windows of text and keep sums over them in a folder; killed halfway, it goes "
        "on when it is started again.",
    )
    add_model_flags(stats)
    text = stats.add_argument_group("text")
    text.add_argument("--corpus", default="stdlib", help=CORPUS)
    text.add_argument("--windows", type=whole(1), default=512, help="number of corpus windows; default 512")
    text.add_argument("--length", type=whole(2), default=256, help="tokens per window; default 256")
    text.add_argument("--seed", type=whole(0), default=0, help="seed for the document order and for the control")
    text.add_argument(
        "--skip-unreadable", action="store_true", help="skip documents that cannot be read instead of stopping"
    )
    work = stats.add_argument_group("work")
    work.add_argument("--out", type=typed_path, required=True, help="folder to write the sums to")
    work.add_argument(
        "--skip", type=whole(0), default=1, help="leading positions of each window to leave out; default 1"
    )
    work.add_argument("--shard", type=whole(1), default=32, help="windows between two saves; default 32")
    work.add_argument(
        "--workers", type=whole(1), help="number of Ray workers to measure on (pip install 'interp[ray]')"
    )
    work.add_argument(
        "--address", help="address of a Ray cluster, ray://HOST:PORT; by default Ray runs on this machine"
    )
    _stats(parser.parse_args(arguments))


def _stats(options: argparse.Namespace) -> None:
    if not options.out.name:
        raise OptionError("--out names no folder; give one")
    if options.skip >= options.length:
        raise OptionError(f"--skip {options.skip} leaves nothing of windows of {options.length} tokens; skip fewer")
    from interp.corpus import gather
    from interp.geometry.positions.position_sums import PositionSums

    model = load_model(options)
    windows = _windows(model, options)
    few = f"; {options.windows} were asked for, and the corpus holds no more" if len(windows) < options.windows else ""
    sys.stderr.write(f"{windows.described}{few}; hash {windows.hash}\n")
    statistic = PositionSums(options.skip, options.seed)
    try:
        with progress_bar():
            gather(
                model, windows, statistic,
                out=options.out, shard=options.shard, workers=options.workers or 0, address=options.address,
            )  # fmt: skip
    except KeyboardInterrupt:
        sys.stderr.write(f"{options.out} keeps what is done; the same command goes on from there\n")
        raise
    sys.stdout.write(f"{options.out}\n")
    sys.stderr.write(f"sums of {len(windows)} windows; use them: {_use(options)}\n")


def _use(options: argparse.Namespace) -> str:
    """The command that reads the folder, with what it has to know of these sums."""
    defaults = {"model": "smollm2-135m", "dtype": "float32", "skip": 1, "seed": 0}
    words = [
        word for name, default in defaults.items() if getattr(options, name) != default
        for word in (f"--{name}", str(getattr(options, name)))
    ]  # fmt: skip
    return shlex.join(["interp", "run", "position-context", *words, "--statistics", str(options.out)])


def _windows(model: "HookedModel", options: argparse.Namespace) -> "Windows":
    """Those that the folder was begun with, or cut now."""
    from interp.corpus import Windows
    from interp.corpus.gathering import begun

    settings = {name: getattr(options, name) for name in ("corpus", "windows", "length", "seed", "skip_unreadable")}
    return begun(options.out, model, settings) or Windows.cut(model, **settings)
