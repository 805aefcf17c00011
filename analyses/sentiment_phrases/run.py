"""Train, measure, and write tables and figure: `python -m analyses.sentiment_phrases.run --help`."""

import argparse
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from random import Random

import pandas as pd

import interp
from analyses.reporting import fill, photograph, progress, write_page
from analyses.sentiment_phrases.classifier import train
from analyses.sentiment_phrases.measure import table
from analyses.sentiment_phrases.report import figure, tables
from analyses.sentiment_phrases.reviews import reviews
from interp.core.progress import track

HERE = Path(__file__).parent


def one_training(seed: int, folder: Path, *, n: int, train_on: int, steps: int) -> pd.DataFrame:
    """Train on reviews of one seed, load the checkpoint as any other, and measure on `n` reviews not trained on."""
    sample = list(islice(reviews(Random(seed)), train_on + n))
    train(sample[:train_on], folder, steps=steps, seed=seed)
    return table(interp.load(str(folder)), sample[train_on:]).assign(training=seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--n", type=int, default=600, help="held-out reviews of each training")
    parser.add_argument("--trainings", type=int, default=3, help="models trained, with seeds 0, 1, …")
    parser.add_argument("--train-on", type=int, default=6000, help="reviews to train on")
    parser.add_argument("--steps", type=int, default=800, help="steps of training")
    parser.add_argument("--checkpoints", type=Path, help="folder to keep the trained models in; otherwise none is kept")
    parser.add_argument("--out", type=Path, default=Path("results/sentiment_phrases"), help="folder of table and page")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md", help="document that takes the tables")
    parser.add_argument("--picture", type=Path, help="take a picture of the figure with Chromium, such as figure.png")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary, progress("trainings"):
        folder = options.checkpoints or Path(temporary)
        shares = pd.concat(
            one_training(seed, folder / str(seed), n=options.n, train_on=options.train_on, steps=options.steps)
            for seed in track(range(options.trainings), options.trainings, "trainings")
        )
    options.out.mkdir(parents=True, exist_ok=True)
    shares.to_csv(options.out / "shares.csv", index=False)
    page = write_page(figure(shares), options.out / "figure.html")
    fill(options.readme, "tables", tables(shares))
    if options.picture:
        photograph(page, options.picture)


if __name__ == "__main__":
    main()
