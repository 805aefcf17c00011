"""What features do to the answer: estimated for each, or by changing some."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from interp.core.nodes import Node
from interp.kinds import Ablation, FeatureAblation, FeatureEffects
from interp.views.chart import (
    about_prompt,
    bars,
    cells,
    choose_row,
    dress,
    places,
    signed_number,
    unit,
)
from interp.views.effects import before_after
from interp.views.figures import view
from interp.views.labels import quoted, ticks, token
from interp.views.theme import Theme


@view.register
def feature_effects(
    result: FeatureEffects,
    theme: Theme,
    *,
    prompt: int | None = None,
    show: Literal["features", "positions"] = "features",
) -> go.Figure:
    """`features`: the strongest of one prompt, the other features and the error. `positions`: the same by position."""
    row = choose_row(result, "batch", prompt)
    nodes = [str(node) for node in result.values("node").values[row]]
    if show == "positions":
        return _by_position(result, theme, row, nodes)
    values = result.values("effect").values[row].tolist()
    rest, error = (float(result.values(name).values[row]) for name in ("rest", "error"))
    shown, labels = [*values, rest, error], [*nodes, "other features", "error"]
    features = [*([Node.of(node).index] if node else [] for node in nodes), [], []]
    at = np.arange(len(shown))
    figure = go.Figure(
        bars(
            np.array(shown),
            theme,
            x=shown,
            y=at,
            orientation="h",
            width=0.7,
            customdata=[[label, *numbered] for label, numbered in zip(labels, features, strict=True)],
            hovertemplate=f"%{{customdata[0]}}<br>effect %{{x:+.4f}} {unit(result, 'effect')}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"effect ({unit(result, 'effect')})", zeroline=True, showgrid=True)
    figure.update_yaxes(ticks(at, labels, limit=20), title="feature", autorange="reversed")
    numbers = {name: float(result.values(name).values[row]) for name in ("features", "total", "patched")}
    note = (
        f"all features {signed_number(numbers['features'])} + error {signed_number(error)} = "
        f"{signed_number(numbers['total'])}; truly replacing the whole site: {signed_number(numbers['patched'])}"
    )
    return dress(
        figure, result, theme, title="Effects of features", about=about_prompt(result, row), notes=[note],
        plot_height=20 * len(shown) + 20,
    )  # fmt: skip


def _by_position(result: FeatureEffects, theme: Theme, row: int, nodes: list[str]) -> go.Figure:
    along = places(result, "pos", row)
    z, clean, other = (
        result.values(name).values[row][:, along.at] for name in ("position_effect", "clean", "corrupted")
    )
    names = np.array([quoted(label) for label in along.labels], dtype=object)
    customdata = np.stack(
        [np.broadcast_to(names[None], z.shape), *(_rounded(values) for values in (clean, other))], axis=-1
    )
    trace = cells(
        z,
        theme,
        signed=True,
        hover="%{customdata[0]} at %{x}<br>effect %{z:+.4f}<br>activation %{customdata[1]}, instead %{customdata[2]}",
        x=along.at,
        y=np.arange(len(nodes)),
        customdata=customdata,
        colorbar={"x": 0, "xanchor": "left"},
    )
    figure = go.Figure(trace)
    figure.update_xaxes(ticks(*along), title="position", tickangle=-45)
    figure.update_yaxes(ticks(range(len(nodes)), nodes, limit=20), title="feature", autorange="reversed")
    height, about = 20 * len(nodes) + 20, about_prompt(result, row)
    title, bar = "Effects of features, position by position", unit(result, "effect")
    return dress(figure, result, theme, title=title, about=about, plot_height=height, bar=bar)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.array([[f"{value:.3g}" for value in row] for row in values], dtype=object)


@view.register
def feature_ablation(
    result: FeatureAblation, theme: Theme, *, prompt: int | None = None, show: Literal["control", "tokens"] = "control"
) -> go.Figure:
    """`control`: the effect beside that of the features drawn instead. `tokens`: the likeliest before and after."""
    row = choose_row(result, "batch", prompt)
    if show == "tokens":
        answers = result.data[[*Ablation.variables]]
        return before_after(Ablation(answers, result.provenance), prompt=prompt, theme=theme.name)
    effect = float(result.values("effect").values[row])
    feature = str(result.values("feature").values[row])
    drawn = result.values("control").values[row]
    names = [str(name) for name in result.values("control_feature").values[row]]
    there = [at for at, name in enumerate(names) if name]
    values = np.array([effect, *drawn[there]])
    labels = [feature, *(names[at] for at in there)]
    density = [float(result.values("density").values[row]), *result.values("control_density").values[row][there]]
    size = float(result.values("activation").values[row])
    active = [size > 0, *result.values("control_active").values[row][there]]
    at = np.arange(len(values))
    trace = bars(
        values,
        theme,
        x=values,
        y=at,
        orientation="h",
        width=0.7,
        customdata=[
            [token(label), f"{share:.3%}", "active" if here else "not active"]
            for label, share, here in zip(labels, density, active, strict=True)
        ],
        hovertemplate="feature %{customdata[0]}, active at %{customdata[1]} of tokens, %{customdata[2]} here"
        f"<br>effect %{{x:+.4f}} {unit(result, 'effect')}<extra></extra>",
    )
    trace.update(marker={"opacity": [1.0] + [0.55] * len(there)})
    figure = go.Figure(trace)
    figure.update_xaxes(title=f"effect ({unit(result, 'effect')})", zeroline=True, showgrid=True)
    figure.update_yaxes(ticks(at, labels), title="feature", autorange="reversed")
    share = float(result.values("as_strong").values[row])
    notes = [
        "pale: others that are active as often, drawn at random and changed alike"
        + ("" if np.isnan(share) else f"; {share:.0%} of those truly changed have an effect at least as large")
    ]
    notes += [] if size else ["the feature is not active where it is changed"]
    about, title = about_prompt(result, row), "A feature's effect, beside others"
    return dress(figure, result, theme, title=title, about=about, notes=notes, plot_height=22 * len(values) + 20)
