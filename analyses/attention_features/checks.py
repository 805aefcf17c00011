"""Interventions on features: each alone, all of a head's together, compared with features of similar density."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float

import interp
from analyses.attention_features.layer import Layer
from analyses.attention_features.site import Attribution, mean
from analyses.ioi_circuit.roles import places
from analyses.reporting import SIZE, markdown
from interp.core.intervals import bootstrap_mean
from interp.models import Edit
from interp.views.theme import THEMES, template

Effect = Float[np.ndarray, "batch"]


class FeatureCheck(NamedTuple):
    """One feature's effect: estimated, set to its value on the corrupted prompt, ablated; with controls."""

    feature: int
    estimate: Effect
    exchange: Effect
    removal: Effect
    controls: Float[np.ndarray, "draw"]
    at_answer: Effect


class Joint(NamedTuple):
    """The effect of an intervention on a head's output, and of the same on features, under the words that name it."""

    words: str
    head: Effect
    features: Effect
    others: Float[np.ndarray, "draw"]


def check_features(
    layer: Layer, attribution: Attribution, features: Sequence[int], dictionary: str, draws: int
) -> list[FeatureCheck]:
    """`feature-ablation` of each, everywhere and at the answer alone."""
    rows = []
    for feature in features:
        everywhere, answer = (
            interp.dictionaries.feature_ablation(
                layer.model, layer.pairs.clean, metric=layer.metric, dictionary=dictionary, features=(feature,),
                position=position, draws=draws,
            ).data
            for position in (None, -1)
        )  # fmt: skip
        rows.append(
            FeatureCheck(
                feature, attribution.effects[:, feature], layer.effect(layer.exchange([feature])),
                everywhere["effect"].values, np.nanmean(everywhere["control"].values, 0), answer["effect"].values,
            )
        )  # fmt: skip
    return rows


def checks_table(rows: Sequence[FeatureCheck], layer: Layer) -> str:
    """Every feature's estimated and measured effect, and that of ablating it by which name is repeated."""
    first = repeats_first(layer)
    table = [
        [
            str(row.feature), mean(row.estimate), mean(row.exchange), mean(row.removal),
            _spread(row.controls),
            mean(row.at_answer), mean(row.removal[first]), mean(row.removal[~first]),
        ]
        for row in rows
    ]  # fmt: skip
    heads = [
        "feature", "corrupted value: estimated", "corrupted value: true", "taken away",
        "others as often active: mean (range)", "taken away at the answer only", "taken away, first name repeated",
        "taken away, second repeated",
    ]  # fmt: skip
    return markdown(heads, table)


def steered_table(layer: Layer, feature: int, dictionary: str, draws: int) -> str:
    """The effect of adding a feature at the answer where the first name is repeated, and where the second is."""
    at = layer.features[torch.arange(len(layer.answers)), layer.answers, feature]
    amount = float(at[at != 0].mean()) if bool((at != 0).any()) else 1.0
    first, rows = repeats_first(layer), []
    for factor in (1.0, 2.0):
        ablation = interp.dictionaries.feature_ablation(
            layer.model, layer.pairs.clean, metric=layer.metric, dictionary=dictionary, features=(feature,),
            position=-1, factor=1.0, steer=factor * amount, draws=draws,
        ).data  # fmt: skip
        controls, effect = ablation["control"].values, ablation["effect"].values
        cells = [
            cell for group in (first, ~first)
            for cell in (mean(effect[group]), _spread(np.nanmean(controls[group], 0)))
        ]  # fmt: skip
        rows.append([f"{factor * amount:.1f}", *cells])
    return markdown(
        ["added", "first name repeated", "others as often active", "second name repeated", "others as often active"],
        rows,
    )


def together(layer: Layer, own: Sequence[int], head: int, seed: int, draws: int) -> list[Joint]:
    """The effect of resampling or zeroing the head's output, its features alone, or as many features of other heads."""
    rng, site = np.random.default_rng(seed), layer.site
    active = (layer.features != 0)[layer.pairs.clean.mask].any(0).numpy()
    others = [feature for feature in np.flatnonzero(active).tolist() if feature not in set(own)]
    count = min(len(others), int(active[list(own)].sum()))
    controls = [rng.choice(others, count, replace=False).tolist() for _ in range(draws)]
    return [
        Joint(
            words, layer.effect(edit), layer.effect(change(own)),
            np.array([layer.effect(change(control)).mean() for control in controls]),
        )
        for words, edit, change in (
            ("of the corrupted prompt", Edit.resample(site, layer.other, head=head), layer.exchange),
            ("taken away", Edit.zero(site, head=head), layer.silence),
        )
    ]  # fmt: skip


def together_table(rows: Sequence[Joint]) -> str:
    """The head compared with its features, and with as many others."""
    heads = ["how", "the head's output", "its features, all positions of the layer", "as many others: mean (range)"]
    return markdown(heads, [[row.words, mean(row.head), mean(row.features), _spread(row.others)] for row in rows])


def repeats_first(layer: Layer) -> np.ndarray:
    """Whether each clean prompt repeats the name that comes first."""
    at = places(layer.pairs)
    return np.array([s < io for (_, s), (_, io) in zip(at["end → S1"], at["end → IO"], strict=True)])


def effects_figure(rows: Sequence[FeatureCheck], joint: Sequence[Joint], clean: str) -> go.Figure:
    """Effects with intervals, one per line: features, then the head's output and its features together."""
    theme = THEMES["light"]
    whole = joint[0]
    names = [f"feature {row.feature}" for row in rows] + ["the head's features together", "the head's output"]
    series = {
        "value of the corrupted prompt": (
            [*(row.exchange for row in rows), whole.features, whole.head], theme.accent, "circle",
        ),
        "taken away": (
            [*(row.removal for row in rows), joint[1].features, joint[1].head], theme.against, "diamond",
        ),
        "estimated (value of the corrupted prompt)": ([row.estimate for row in rows], theme.support, "circle-open"),
    }  # fmt: skip
    figure = go.Figure()
    for label, (effects, colour, symbol) in series.items():
        middle, low, high = (np.array(part) for part in zip(*map(bootstrap_mean, effects), strict=True))
        figure.add_scatter(
            x=middle, y=names[: len(middle)], mode="markers", name=label,
            marker={"size": 10, "color": colour, "symbol": symbol},
            error_x={"array": high - middle, "arrayminus": middle - low, "thickness": 1.4, "color": colour},
        )  # fmt: skip
    controls = [*(row.controls for row in rows), joint[1].others]
    figure.add_scatter(
        x=np.concatenate(controls), y=np.repeat(names[: len(controls)], [len(each) for each in controls]),
        mode="markers", name="other features, taken away", marker={"size": 5, "color": theme.muted, "opacity": 0.6},
    )  # fmt: skip
    return figure.update_layout(
        template=template(theme),
        paper_bgcolor=theme.card,
        plot_bgcolor=theme.card,
        title=f"Features of attention outputs in IOI: change of the logit difference of {clean}<br><sup>95 % bootstrap "
        "intervals over prompts; negative: the answer loses</sup>",
        xaxis={"title": "metric(edited) − metric(clean), logits", "showgrid": True, "zeroline": True},
        yaxis={"autorange": "reversed", "title": ""},
        legend={"orientation": "h", "y": -0.14, "x": 0},
        margin={"l": 190},
        **SIZE,
    )


def _spread(values: Float[np.ndarray, "draw"]) -> str:
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})" if len(values) else "–"
