"""Score methods, compare, and write tables and figure: `python -m analyses.method_comparison.run --help`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import interp
from analyses.method_comparison.measure import METHODS, faithfulness, rank_agreement, read_scores, right_rows, scores
from analyses.method_comparison.report import figure, tables
from analyses.reporting import fill, photograph, progress, write_page
from interp.evaluation.items import agreement_items

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, or resume it: parts already in the folder are loaded from there."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="smollm2-135m", help="packaged name, Hugging Face id or folder")
    parser.add_argument("--n", type=int, default=1000, help="sentences that the model gets right")
    parser.add_argument("--faithful", type=int, default=100, help="of these, how many faithfulness is measured on")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sentences")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="methods to compare")
    parser.add_argument(
        "--evidence", type=Path, help="a result of analyses.sva_benchmark to use, on the same sentences"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("results/method_comparison"), help="folder of results and page"
    )
    parser.add_argument("--readme", type=Path, default=HERE / "README.md", help="document that takes the tables")
    parser.add_argument("--picture", type=Path, help="take a picture of the figure with Chromium, such as figure.png")
    options = parser.parse_args(arguments)

    folder = options.out / f"n{options.n}-seed{options.seed}"
    model = interp.load(options.model)
    items = agreement_items(model, options.n, options.seed, batch_size=32)
    with progress("methods", "prompts"):
        if options.evidence is None:
            evidence = scores(model, items, options.methods, folder / "evidence")
        else:
            evidence = read_scores(options.evidence, model, items, options.methods)
        rows = right_rows(evidence, options.faithful)
        faithful = faithfulness(model, items[rows], options.methods, folder / "faithfulness")
    same = type(evidence)(evidence.data.isel(batch=rows), evidence.provenance)

    evidence.save(folder / "evidence.nc")
    faithful.save(folder / "faithfulness.nc")
    page = write_page(figure(evidence, faithful, options.methods), folder / "figure.html")
    fill(options.readme, "tables", tables(evidence, faithful, rank_agreement(same, faithful, options.methods)))
    if options.picture:
        photograph(page, options.picture)


if __name__ == "__main__":
    main()
