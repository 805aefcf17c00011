"""ACDC over every edge of the default model, without a pre-filter: `python -m analyses.lossless_acdc.run --help`."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import interp
from analyses.keeping import load_or_make
from analyses.reporting import fill, markdown, progress
from interp import circuits, tasks
from interp.kinds import FoundCircuit

README = Path(__file__).with_name("README.md")
STRONGEST = 15


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, or resume the search, and write the tables of the README."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="default: %(default)s")
    parser.add_argument("--n", type=int, default=1, help="IOI pairs; default: %(default)s")
    parser.add_argument("--tau", type=float, default=0.01, help="threshold in nats; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("results/lossless_acdc"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    folder = options.out / f"n{options.n}-tau{options.tau:g}"
    model = interp.load(options.model)
    pairs = tasks.ioi(model, n=options.n)
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "journal"
    with progress("ACDC"):
        found = load_or_make(
            folder / "circuit.nc",
            FoundCircuit,
            model,
            pairs,
            lambda: circuits.acdc(model, pairs, tau=options.tau, journal=str(journal), resume=journal.exists()),
        )
    fill(README, "numbers", "\n\n".join((_totals(found, model, pairs), _strongest(found))))


def _totals(found: FoundCircuit, model: interp.HookedModel, pairs: interp.PromptPairs) -> str:
    data = found.data
    edges, candidates, work = int(data["edges"]), int(data["candidates"]), float(data["forwards"])
    scores = circuits.eap(model, pairs).data.set_index(edge=["sender", "receiver"])["score"].mean("batch")
    order = np.argsort(-np.abs(scores.values), kind="stable")[:edges]
    top = {tuple(scores["edge"].values[place]) for place in order}
    kept = set(zip(data["sender"].values, data["receiver"].values, strict=True))
    heads = ("edges kept", "of", "faithfulness", "work, in forward passes", "edges per forward pass", "seconds")
    row = (
        f"{edges:,}", f"{candidates:,}", f"{float(data['faithfulness']):.2f}", f"{work:,.0f}",
        f"{candidates / work:.1f}", f"{found.provenance.seconds:,.0f}",
    )  # fmt: skip
    overlap = f"{len(top & kept)} of them are among the {edges:,} edges with the largest EAP scores."
    return f"{markdown(heads, [row])}\n\n{overlap}"


def _strongest(found: FoundCircuit) -> str:
    score = found.data["score"]
    strongest = np.argsort(-np.abs(score.values), kind="stable")[:STRONGEST]
    edges = found.data.isel(edge=strongest)
    columns = (edges[name].values.tolist() for name in ("sender", "receiver", "score"))
    rows = [(f"{sender} → {receiver}", f"{value:.2f}") for sender, receiver, value in zip(*columns, strict=True)]
    return markdown(("edge", "change of KL when it is cut, nats"), rows)


if __name__ == "__main__":
    main()
