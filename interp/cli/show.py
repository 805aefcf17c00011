"""`interp show`: a saved result as a table or a figure, a circuit's file, and one as the other."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from interp.cli.shared import FORMATS, Parser, whole, write, write_frame
from interp.core.errors import OptionError
from interp.core.paths import typed_path

if TYPE_CHECKING:
    from interp.kinds import Circuit


def main(arguments: Sequence[str]) -> None:
    """Print a file's numbers; where they came from goes to standard error."""
    from interp.core.result import Result
    from interp.kinds import Circuit, FoundCircuit

    options = _parser().parse_args(arguments)
    graph_option = next((f"--{name}" for name in ("edges", "extraction") if getattr(options, name) is not None), None)
    if graph_option and options.format != "graph":
        raise OptionError(f"{graph_option} goes with --format graph; give that too, or leave {graph_option} out")
    if options.file.suffix == ".json":
        if graph_option:
            raise OptionError(f"{options.file} is a circuit already; leave {graph_option} out")
        _write_circuit(Circuit.load(options.file), options.format)
        return
    result = Result.load(options.file)
    circuit = None
    if options.format == "graph":
        edges = options.edges if options.edges is not None or isinstance(result, FoundCircuit) else 200
        scores: Any = result  # of another kind, it is refused
        circuit = Circuit.of(scores, edges, extraction=options.extraction or "top")
    if circuit is None:
        write(result, options.format, options.per_prompt, options.table)
    else:
        _write_circuit(circuit, options.format)
    sys.stderr.write(f"{type(result).__name__}: {result.measured}\n")
    for name, value in dataclasses.asdict(result.provenance).items():
        sys.stderr.write(f"  {name}: {value}\n")


def _parser() -> Parser:
    from interp.kinds import EXTRACTIONS  # with xarray, which --help of other commands does without

    parser = Parser(prog="interp show")
    parser.add_argument("file", type=typed_path)
    parser.add_argument(
        "--format", choices=(*FORMATS, "graph"), default="csv", help="graph prints a circuit as attribution-graph JSON"
    )
    parser.add_argument(
        "--edges", type=whole(1), help="number of edges in the circuit when the file scores every edge; default 200"
    )
    parser.add_argument(
        "--extraction",
        choices=tuple(EXTRACTIONS),
        help="; ".join(f"{name}: {meaning}" for name, meaning in EXTRACTIONS.items()),
    )
    parser.add_argument("--table", help="print another of the result's tables, such as ledger")
    parser.add_argument("--per-prompt", action="store_true", help="numbers for each prompt instead of their mean")
    return parser


def _write_circuit(circuit: "Circuit", form: str) -> None:
    if form == "html":
        raise OptionError("a circuit's file has no figure; print it as csv, json or graph, or show the result itself")
    if form == "graph":
        sys.stdout.write(circuit.to_graph().to_json())
    elif form != "none":
        write_frame(circuit.to_frame(), form)
