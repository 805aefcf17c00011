"""Effects of features on the answer: estimated for each, or measured by changing some."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from interp.core.nodes import Node
from interp.kinds import Ablation, FeatureAblation, FeatureEffects
from interp.views.chart import dress
from interp.views.choosing import about_prompt, choose_row, places, unit
from interp.views.effects import before_after
from interp.views.figures import view
from interp.views.labels import token
from interp.views.marks import (
    AT_LEFT,
    cells,
    column_hover,
    list_bars,
    name_rows,
    number_axes,
    sign_colours,
    signed_number,
    token_axis,
)
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
    rest, error = (float(result.values(name).values[row]) for name in ("rest", "error"))
    sizes, labels = [*result.values("effect").values[row].tolist(), rest, error], [*nodes, "other features", "error"]
    features = [*([Node.of(node).index] if node else [] for node in nodes), [], []]
    words = [[label, *numbers] for label, numbers in zip(labels, features, strict=True)]
    measure, sides = unit(result, "effect"), result.supports("effect")
    hover, colours = f"%{{customdata[0]}}<br>effect %{{x:+.4f}} {measure}", sign_colours(np.array(sizes), theme, sides)
    figure = go.Figure(list_bars(sizes, colours, hover, customdata=words))
    number_axes(figure, f"effect ({measure})")
    name_rows(figure, labels, "feature", limit=20)
    own, total, total_effect = (
        signed_number(float(result.values(name).values[row])) for name in ("features", "total", "patched")
    )
    adds_up = f"all features {own} + error {signed_number(error)} = {total}"
    notes, about = [f"{adds_up}; measured effect of patching the whole site: {total_effect}"], about_prompt(result, row)
    tall = 20 * len(sizes) + 20
    more: dict[str, Any] = {"notes": notes, "plot_height": tall, "supports": sides}
    return dress(figure, result, theme, title="Effects of features", about=about, **more)


def _by_position(result: FeatureEffects, theme: Theme, row: int, nodes: list[str]) -> go.Figure:
    at = places(result, "pos", row)
    z, clean, other = (result.values(name).values[row][:, at.at] for name in ("position_effect", "clean", "corrupted"))
    words = np.stack([column_hover(at.labels, z.shape), _round(clean), _round(other)], axis=-1)
    hover = "%{customdata[0]} at %{x}<br>effect %{z:+.4f}<br>activation %{customdata[1]}, replaced by %{customdata[2]}"
    place: dict[str, Any] = {"x": at.at, "y": np.arange(len(nodes)), "colorbar": AT_LEFT}
    sides = result.supports("position_effect")
    figure = go.Figure(cells(z, theme, signed=True, hover=hover, supports=sides, customdata=words, **place))
    token_axis(figure, at)
    name_rows(figure, nodes, "feature", limit=20)
    tall, about = 20 * len(nodes) + 20, about_prompt(result, row)
    title, bar = "Effects of features, position by position", unit(result, "effect")
    return dress(figure, result, theme, title=title, about=about, plot_height=tall, bar=bar, supports=sides)


def _round(values: np.ndarray) -> np.ndarray:
    return np.array([[f"{value:.3g}" for value in row] for row in values], dtype=object)


@view.register
def feature_ablation(
    result: FeatureAblation, theme: Theme, *, prompt: int | None = None, show: Literal["control", "tokens"] = "control"
) -> go.Figure:
    """`control`: the effect compared with that of the features drawn instead. `tokens`: the likeliest before and
    after."""
    row = choose_row(result, "batch", prompt)
    if show == "tokens":
        return before_after(
            Ablation(result.data[[*Ablation.variables]], result.provenance), prompt=prompt, theme=theme.name
        )
    data = result.data.isel(batch=row)
    controls = data.isel(draw=np.flatnonzero(data["control_feature"].values != ""))
    size, share = float(data["activation"]), float(data["as_strong"])
    values = np.array([float(data["effect"]), *controls["control"].values])
    labels = [str(data["feature"].item()), *map(str, controls["control_feature"].values)]
    often = [float(data["density"]), *controls["control_density"].values]
    active = ["active" if here else "not active" for here in (size > 0, *controls["control_active"].values)]
    words = [[token(label), f"{part:.3%}", here] for label, part, here in zip(labels, often, active, strict=True)]
    hover = (
        "feature %{customdata[0]}, active at %{customdata[1]} of tokens, %{customdata[2]} here"
        f"<br>effect %{{x:+.4f}} {unit(result, 'effect')}"
    )
    sides = result.supports("effect")
    trace = list_bars(values, sign_colours(values, theme, sides), hover, customdata=words)
    figure = go.Figure(trace.update(marker={"opacity": [1.0] + [0.55] * (len(values) - 1)}))
    number_axes(figure, f"effect ({unit(result, 'effect')})")
    name_rows(figure, labels, "feature", limit=14)
    comparison = _as_strong(result, controls, share)
    notes = [
        f"pale: random features of similar density, changed in the same way{comparison}",
        f"density: share of tokens on which a feature is active, over {data.attrs.get('densities', 'a corpus')}",
    ]
    notes += [] if size else ["the feature is not active where it is changed"]
    about, title = about_prompt(result, row), "A feature's effect compared with random features"
    return dress(
        figure, result, theme, title=title, about=about, notes=notes, plot_height=22 * len(values) + 20, supports=sides
    )


def _as_strong(result: FeatureAblation, draws: xr.Dataset, share: float) -> str:
    """How many of the controls that are changed have an effect at least as large."""
    if np.isnan(share):
        return ""
    controls = draws["control"].values
    mask = np.isfinite(controls)
    if not result.provenance.options.get("steer"):
        mask &= draws["control_active"].values.astype(bool)
    stronger = int((np.abs(controls[mask]) >= abs(float(draws["effect"]))).sum())
    verb = "has" if stronger == 1 else "have"
    return f"; {stronger or 'none'} of the {mask.sum()} that are changed {verb} as large an effect"
