"""Score every method and write the table: `python -m analyses.sva_benchmark.run --help`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import interp
from analyses.reporting import progress
from interp.core.result import Result
from interp.evaluation import markdown_table
from interp.kinds import MethodScores


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark, or load a saved result, and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="smollm2-135m", help="packaged name, Hugging Face id or folder")
    parser.add_argument("--n", type=int, default=1000, help="sentences that the model gets right")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sentences")
    parser.add_argument("--methods", nargs="*", default=[], help="by default every method that supports the model")
    parser.add_argument("--result", type=Path, help="a result saved earlier, instead of running")
    parser.add_argument("--out", type=Path, default=Path("results/sva_benchmark"), help="where to save the result")
    parser.add_argument("--table", type=Path, default=Path("data/sva_benchmark.md"), help="where to write the table")
    options = parser.parse_args(arguments)
    if options.result:
        result = Result.load(options.result)
    else:
        with progress("relevance"):
            result = interp.evaluation.sva_benchmark(
                interp.load(options.model), n=options.n, seed=options.seed, methods=options.methods
            )
        result.save(options.out)
    assert isinstance(result, MethodScores)
    options.table.write_text(report(result), encoding="utf-8")


def report(result: MethodScores) -> str:
    """What was measured, on what, and the tables: all sentences, and the reciprocal rank by construction."""
    origin = result.provenance
    about = f"{origin.model} (weights {origin.weight_hash}), seed {origin.options['seed']}: {result.measured}."
    title = "# The subject-verb-agreement benchmark"
    parts = (title, about, markdown_table(result), "Mean reciprocal rank by construction:", by_construction(result))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def by_construction(result: MethodScores) -> str:
    """The mean reciprocal rank of every method in each construction, and the number of sentences."""
    constructions = result.data["construction"].values
    names = list(dict.fromkeys(constructions.tolist()))
    right = result.values("correct").values == 1
    masks = [right & (constructions == name) for name in names]
    lines = [f"| method | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines.append(f"| sentences | {' | '.join(str(int(rows.sum())) for rows in masks)} |")
    values = result.values("mrr").values
    for index, method in enumerate(result.data["method"].values):
        cells = [f"{np.mean(values[rows, index]):.2f}" if rows.any() else "–" for rows in masks]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
