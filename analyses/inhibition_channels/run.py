"""Score the channels, ablate and scale them, write the tables: `python -m analyses.inhibition_channels.run --help`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float
from torch import Tensor

import interp
from analyses.inhibition_channels.lists import lists
from analyses.reporting import SIZE, fill, markdown, photograph, progress, share, write_page
from interp import tasks
from interp.core.intervals import bootstrap_mean
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.geometry.channel_ablation import Channel, channel_edits
from interp.models import HookedModel, Site

HERE = Path(__file__).parent
# From analyses/ioi_circuit: name movers, the heads that inhibit the subject in them, and the heads that those read;
# for contrast a head that suppresses the subject (23.3) and one that works against the answer (24.4).
MOVERS = ("q23.0", "q23.1", "q23.2", "q23.7")
PAIRS = tuple((sender, receiver) for sender, receivers in {
    "a17.4": ("v19.0", "v20.0"), "a19.2": ("v20.0", *MOVERS), "a20.0": (*MOVERS, "q23.3", "q24.4"),
}.items() for receiver in receivers)  # fmt: skip
FACTORS = (-1.0, 0.0, 0.5, 2.0, 4.0)
LENGTHS = (2, 3, 4, 6, 8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and fill the document's tables."""
    options = _parser().parse_args(arguments)
    model = interp.load(options.model)
    with progress("pairs", "factors", "lists"):
        channels = strongest_channels(model)
        into: Any = channels[channels["receiver"].isin(MOVERS)]
        best = into.loc[into["channel_score"].idxmax()]
        sender, component = str(best["sender"]), int(best["component"])
        draws = _others(model, component, options.controls, options.seed)
        pairs = tasks.ioi(model, n=options.n, seed=options.seed)
        assert pairs.metric is not None
        ioi = Runs(model, pairs.clean, pairs.metric.of_rows)
        parts = [
            f"**Pairs** ({options.n} IOI prompts, seed {options.seed}; logit difference {_mean(ioi.clean)})",
            pair_table(ioi, channels, draws),
            f"**Direction {component} of {sender} into {', '.join(MOVERS)} at once**",
            factor_table(factors := scale(ioi, sender, component, draws)),
            f"**Lists** ({options.lists} of each length), the same channel",
            list_table(model, sender, component, draws, options.lists, options.seed),
        ]
    fill(options.readme, "tables", "\n\n".join(parts))
    page = write_page(factor_figure(factors, f"direction {component} of {sender}"), options.out / "scaling.html")
    if options.pictures:
        photograph(page, HERE / "scaling.png")


class Runs:
    """One set of prompts, rerun from the first layer that an edit can reach."""

    def __init__(
        self, model: HookedModel, prompts: Prompts, metric: Callable[[Tensor], Float[Tensor, "batch"]]
    ) -> None:
        self.model, self.prompts, self.metric = model, prompts, metric
        self.answer = Metric.reading(prompts.answer_positions(model))
        first = min(Node.of(sender).layer for sender, _ in PAIRS)
        site = Site("resid_pre", first)
        trace = model.run(prompts, record=[site], answer=self.answer)
        self.start = first, trace[site]
        self.clean = metric(trace.logits).numpy()

    def effect(self, channels: Sequence[Channel], factor: float) -> Float[np.ndarray, "batch"]:
        """The change of each prompt's metric when the channels are read `factor` times."""
        edits = channel_edits(self.model, channels, factor)
        run = self.model.run(self.prompts, edits=edits, answer=self.answer, start=self.start)
        return self.metric(run.logits).numpy() - self.clean


def strongest_channels(model: HookedModel) -> pd.DataFrame:
    """Composition of every pair, and its channel with the highest score."""
    senders, receivers = (tuple(dict.fromkeys(ends)) for ends in zip(*PAIRS, strict=True))
    composition = interp.geometry.head_composition(model, senders=senders, receivers=receivers, top=10**6)
    channels: Any = composition.to_frame("channels").rename(columns=lambda name: name.replace("channel_", "", 1))
    channels = channels.sort_values("score", ascending=False, kind="stable").drop_duplicates(["sender", "receiver"])
    columns = {"score": "channel_score", "backward": "channel_backward", "null_mean": "channel_null_mean"}
    channels = channels.rename(columns=columns)[["sender", "receiver", "component", *columns.values()]]
    return composition.to_frame().merge(channels).set_index(["sender", "receiver"], drop=False).loc[list(PAIRS)]


def pair_table(runs: Runs, channels: pd.DataFrame, draws: Sequence[int]) -> str:
    """Every pair's score by the weights, and its strongest direction's effect compared with others of the same head."""
    rows = []
    for row in track(channels.to_dict("records"), len(channels), "pairs"):
        sender, receiver, component = row["sender"], row["receiver"], row["component"]
        others = [runs.effect([Channel(sender, receiver, (draw,))], 0).mean() for draw in draws if draw != component]
        whole = Channel(sender, receiver, tuple(range(runs.model.dims.d_head)))
        above = (row["score"] - row["null_mean"]) / row["null_sd"]
        rows.append(
            [
                f"{sender} → {receiver}",
                f"{row['score']:.3f} ({above:+.0f} sd; {row['backward']:.2%})",
                f"{component}: {row['channel_score']:.3f} ({row['channel_backward']:.2%})",
                _mean(runs.effect([Channel(sender, receiver, (component,))], 0)),
                f"{np.mean(others):.2f} ({min(others):.2f} to {max(others):.2f})",
                _mean(runs.effect([whole], 0)),
            ]
        )
    heads = ["pair", "score (above rotations; as high backward)", "strongest direction: score (as high backward)"]
    return markdown([*heads, "without it", "without another one: mean (range)", "without the whole edge"], rows)


class Scaling(NamedTuple):
    """The effect of reading a direction `factor` times: mean and interval, and the means for other directions."""

    factor: float
    change: tuple[float, float, float]
    others: list[float]


def scale(runs: Runs, sender: str, component: int, draws: Sequence[int]) -> list[Scaling]:
    """The effect on the logit difference when the movers' input along a direction is scaled, with other directions'."""
    scalings = []
    for factor in track(FACTORS, len(FACTORS), "factors"):
        others = [float(runs.effect(_into_movers(sender, draw), factor).mean()) for draw in draws]
        effect = runs.effect(_into_movers(sender, component), factor)
        mean, low, high = (float(value) for value in bootstrap_mean(effect.astype(float)))
        scalings.append(Scaling(factor, (mean, low, high), others))
    return scalings


def factor_table(scalings: Sequence[Scaling]) -> str:
    """Every factor, the change with its interval, and that for other directions."""
    rows = [
        [f"{each.factor:g}", share(*each.change),
         f"{np.mean(each.others):.2f} ({min(each.others):.2f} to {max(each.others):.2f})"]
        for each in scalings
    ]  # fmt: skip
    return markdown(["factor", "change of the logit difference", "another direction: mean (range)"], rows)


def factor_figure(scalings: Sequence[Scaling], name: str) -> go.Figure:
    """The change as the factor grows, with its interval; other directions are grey."""
    whole = sorted([*scalings, Scaling(1.0, (0.0, 0.0, 0.0), [0.0] * len(scalings[0].others))])
    factors = [each.factor for each in whole]
    figure = go.Figure()
    for number, means in enumerate(zip(*(each.others for each in whole), strict=True)):
        figure.add_scatter(
            x=factors, y=means, mode="lines", line={"color": "#9a9a9a", "width": 1}, name="other directions",
            legendgroup="others", showlegend=number == 0,
        )  # fmt: skip
    middle, low, high = zip(*(each.change for each in whole), strict=True)
    ends = {"array": np.subtract(high, middle), "arrayminus": np.subtract(middle, low), "thickness": 1.4}
    figure.add_scatter(
        x=factors, y=middle, mode="lines+markers", line={"color": "#3b5bdb", "width": 2.4}, error_y=ends, name=name
    )
    return figure.update_layout(
        template="plotly_white",
        title=f"What four name movers read of {name}, scaled: change of the logit difference<br><sup>IOI; 95 % "
        "bootstrap intervals over prompts; negative: the answer loses</sup>",
        xaxis_title="factor (1: as the model has it)",
        yaxis_title="metric(edited) − metric(clean), logits",
        **SIZE,
    )


def list_table(model: HookedModel, sender: str, component: int, draws: Sequence[int], n: int, seed: int) -> str:
    """Accuracy on lists by length, and how scaling the direction changes it."""
    rows, factors = [], [factor for factor in FACTORS if factor >= 0]
    for length in track(LENGTHS, len(LENGTHS), "lists"):
        prompts = lists(model, items=length, n=n, seed=seed)
        runs = Runs(model, prompts.prompts, prompts.margin)
        right = runs.clean > 0
        changes = [runs.effect(_into_movers(sender, component), factor) for factor in factors]
        other = np.mean([_wins(runs, runs.effect(_into_movers(sender, draw), factors[-1])) for draw in draws[:3]], 0)
        cells = [_mean(_wins(runs, change) - right) for change in changes]
        rows.append([str(length), f"{1 / length:.2f}", _mean(right), *cells, _mean(other - right)])
    heads = ["items", "chance", "right", *(f"× {factor:g}: change" for factor in factors)]
    return markdown([*heads, f"another direction × {factors[-1]:g}"], rows)


def _wins(runs: Runs, change: Float[np.ndarray, "batch"]) -> Float[np.ndarray, "batch"]:
    return (runs.clean + change > 0).astype(float)


def _into_movers(sender: str, component: int) -> list[Channel]:
    return [Channel(sender, receiver, (component,)) for receiver in MOVERS]


def _others(model: HookedModel, component: int, count: int, seed: int) -> list[int]:
    """Random directions of a head, none of them `component`."""
    permutation = np.random.default_rng(seed).permutation(model.dims.d_head)
    return [int(each) for each in permutation if each != component][:count]


def _mean(values: np.ndarray) -> str:
    return share(*bootstrap_mean(values.astype(float)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="smollm2-135m", help="packaged name, Hugging Face id or folder")
    parser.add_argument("--n", type=int, default=24, help="IOI prompts")
    parser.add_argument("--lists", type=int, default=48, help="lists of each length")
    parser.add_argument("--controls", type=int, default=5, help="other directions that the strongest is compared with")
    parser.add_argument("--seed", type=int, default=0, help="seed of prompts and controls")
    parser.add_argument("--out", type=Path, default=Path("results/inhibition_channels"), help="folder of the figure")
    parser.add_argument("--pictures", action="store_true", help="take a picture of the figure with Chromium")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md", help="document that takes the tables")
    return parser


if __name__ == "__main__":
    main()
