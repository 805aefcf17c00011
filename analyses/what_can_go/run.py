"""Which layers and heads can go, by each measure, and which measure predicts the true loss best.

`python -m analyses.what_can_go.run`
"""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float

import interp
from analyses.reporting import fill, markdown, photograph, progress, share, write_page
from interp import patterns, views
from interp.core.intervals import percentile_interval
from interp.core.ranking import rank_correlation
from interp.core.result import Result
from interp.models import HookedModel

HERE = Path(__file__).parent
README = HERE / "README.md"
RESAMPLES = 2000
LISTED = 6  # layers or heads that go first
REDUNDANCY = {"windows": 20, "tested": 4}
REMOVAL = {"windows": 20, "tested": 2}
# A layer, part or head is expected to matter the more, the larger (+) or the smaller (−) this is.
MEASURES = {
    "influence": +1,
    "influence_without_massive": +1,
    "angle": +1,
    "entropy_change": +1,
    "linearity": -1,
    "linearity_without_massive": -1,
    "update_linearity": -1,
    "loss_replaced": +1,
}
OF_HEADS = {
    "sink": -1,
    "entropy_share": -1,
    "max_weight": +1,
    "local_mass": +1,
    "similarity": -1,
    "mean_similarity": -1,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not packaged, and write the tables and the figure of the README."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="default: %(default)s")
    parser.add_argument("--windows", type=int, default=4, help="of 64 tokens for heads; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("results/what_can_go"), help="folder; default: %(default)s")
    options = parser.parse_args(arguments)
    model = interp.load(options.model)
    with progress("layer-redundancy: losses", "losses without each head", "layer-removal: losses"):
        redundancy = interp.precomputed(model, "layer-redundancy", **REDUNDANCY)
        removal = interp.precomputed(model, "layer-removal", **REMOVAL)
        heads = patterns.head_redundancy(model, windows=options.windows, length=64)
    fill(README, "layers", by_part(redundancy))
    fill(README, "first", first_to_go(redundancy))
    fill(README, "orders", orders(removal))
    fill(README, "heads", of_heads(heads, measures_of_heads(model, heads)))
    page = write_page(views.figure(removal), options.out / "removal.html")
    photograph(page, HERE / "removal.png")


def correlated(
    measure: Float[np.ndarray, "candidate"], loss: Float[np.ndarray, "candidate"], seed: int = 0
) -> tuple[float, float, float]:
    """Spearman's correlation of a measure with the loss, and its 95 % bootstrap interval over layers or heads."""
    there = np.isfinite(measure) & np.isfinite(loss)
    pair = np.stack([measure[there], loss[there]])
    rows = np.random.default_rng(seed).integers(there.sum(), size=(RESAMPLES, there.sum()))
    resampled = np.array([rank_correlation(pair[:, row])[0, 1] for row in rows])
    low, high = percentile_interval(resampled[None])
    return float(rank_correlation(pair)[0, 1]), float(low[0]), float(high[0])


def _correlation(measure: np.ndarray, loss: np.ndarray) -> str:
    return share(*correlated(measure, loss))


def _signed(name: str, signs: Mapping[str, int]) -> str:
    return f"`{name}`" if signs[name] > 0 else f"− `{name}`"


def by_part(result: Result) -> str:
    """The correlation of every measure with the loss when a block, an attention or an MLP is skipped."""
    data = result.data
    parts = data["part"].values
    loss = {part: data["loss_skipped"].sel(part=part).values for part in parts}
    rows = [
        [
            _signed(name, MEASURES),
            *(_correlation(sign * data[name].sel(part=part).values, loss[part]) for part in parts),
        ]
        for name, sign in MEASURES.items()
    ]
    return markdown(["measure", *map(str, data["part"].values)], rows)


def first_to_go(result: Result) -> str:
    """The blocks that each measure would remove first, and the sum of their true losses."""
    block = result.data.sel(part="block")
    loss = block["loss_skipped"].values
    rows = []
    for name, sign in {**MEASURES, "loss_skipped": 1}.items():
        order = np.argsort(np.nan_to_num(sign * block[name].values, nan=np.inf), kind="stable")[:LISTED]
        rows.append([f"`{name}`", ", ".join(map(str, order)), f"{loss[order].sum():.2f}"])
    return markdown(["least by", "blocks", "Σ loss of each skipped alone (nats)"], rows)


def orders(result: Result) -> str:
    """The loss after a few numbers of layers are removed, in each order and at random."""
    data = result.data
    counts = [count for count in (1, 2, 3, 5, 8, 10) if count in data["count"].values]
    rows = [
        [str(order), *(_with_ends(data.sel(order=order, count=count)) for count in counts)]
        for order in data["order"].values
    ]
    random = data["random_loss"].sel(count=counts)
    ends = zip(random.mean("draw").values, random.min("draw").values, random.max("draw").values, strict=True)
    rows.append(["random (mean, least and most of the draws)", *(share(*each) for each in ends)])
    return markdown(["order", *(f"{count} removed" for count in counts)], rows)


def _with_ends(cell: xr.Dataset) -> str:
    low, high = cell["loss_interval"].values
    return share(float(cell["loss"]), low, high)


def measures_of_heads(model: HookedModel, heads: Result) -> Mapping[str, np.ndarray]:
    """A number for each head, from engines that need one pass."""
    found = {}
    for result in (
        interp.precomputed(model, "attention-sinks", windows=16),
        interp.precomputed(model, "attention-dispersion", windows=16),
        heads,
    ):
        found |= {name: result.data[name].values for name in OF_HEADS if name in result.data}
    return found


def of_heads(result: Result, measures: Mapping[str, np.ndarray]) -> str:
    """The correlation of every measure with the loss without each head, and the heads that go first by the loss."""
    loss, width = result.data["increase"].values.ravel(), result.data.sizes["head"]
    rows = [
        [_signed(name, OF_HEADS), _correlation(OF_HEADS[name] * values.ravel(), loss)]
        for name, values in measures.items()
    ]
    most = [f"{at // width}.{at % width} ({loss[at]:+.3f})" for at in np.argsort(-loss)[:LISTED]]
    rows.append(["heads that cost most", ", ".join(most)])
    harmless = (result.data["increase_interval"].sel(bound="low").values <= 0).mean()
    rows.append(["heads whose interval includes 0 or less", f"{harmless:.0%}"])
    return markdown(["measure", "Spearman with the loss without the head"], rows)


if __name__ == "__main__":
    main()
