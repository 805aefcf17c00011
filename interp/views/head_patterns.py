"""What heads attend to, in words: predicates of all heads."""

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from interp.kinds import PredicateScores
from interp.views.chart import LEGEND, dress
from interp.views.choosing import choose_one, names_of
from interp.views.figures import view
from interp.views.grid import HeadGrid
from interp.views.heads import draw_grid
from interp.views.labels import escape
from interp.views.marks import bars, limit_of, name_rows
from interp.views.theme import Theme

RUNS = {"pattern": "attends as the predicate says", "uniform": "attends to all keys alike", "ablated": "ablated"}


@view.register
def predicates(
    result: PredicateScores,
    theme: Theme,
    *,
    show: Literal["mass", "above_null", "beyond_first", "replaced"] = "mass",
    predicate: str | None = None,
) -> go.Figure:
    """Attention of all heads on the keys of one predicate, less its null or without the first position; or what the
    loss rises by with heads replaced by predicates."""
    if show == "replaced":
        return _replaced(result, theme)
    names = names_of(result, "predicate")
    name = choose_one("predicate", predicate or names[0], names)
    data = result.data.isel(predicate=names.index(name))
    null = data["null"].values if show == "above_null" else 0.0
    low, high = np.moveaxis(data["mass_interval"].values, -1, 0) - null
    values = data["beyond_first"].values if show == "beyond_first" else data["mass"].values - null
    interval = show != "beyond_first" and np.isfinite(low).any()
    grid = HeadGrid(
        name=show.replace("_", " "),
        unit="share" if show == "beyond_first" else "probability",
        layers=tuple(map(int, data["layer"].values)),
        heads=tuple(map(int, data["head"].values)),
        values=values,
        low=low if interval else None,
        high=high if interval else None,
        row=0,
        signed=show == "above_null",
        supports="",
        limit=limit_of(values),
    )
    notes = [f"rows shuffled: {np.nanmean(data['null'].values):.3f} on average"] if data["null"].notnull().any() else []
    return draw_grid(grid, result, theme, title=f"Attention on {name}, every head", notes=notes)


def _replaced(result: PredicateScores, theme: Theme) -> go.Figure:
    data = result.data
    rows = [
        (f"{name}, {head}", at, rank)
        for at, name in enumerate(names_of(result, "predicate"))
        for rank, head in enumerate(data["replaced"].values[at])
    ]
    clean, figure = data["clean_loss"].values, go.Figure()
    colours = (theme.accent, theme.muted, theme.against)
    for (run, words), colour in zip(RUNS.items(), colours, strict=True):
        rises = [float((data[f"{run}_loss"].values - clean)[at, rank]) for _, at, rank in rows]
        about = [[escape(name), f"{data['explained'].values[at, rank]:.0%}"] for name, at, rank in rows]
        hover = f"%{{customdata[0]}}<br>{words}: loss %{{x:+.4f}} nats<br>explained %{{customdata[1]}}"
        place: dict[str, Any] = {"y": np.arange(len(rows)), "orientation": "h", "name": words, "customdata": about}
        figure.add_trace(bars(colour, hover, x=rises, **place))
    name_rows(figure, [name for name, _, _ in rows], limit=40)
    figure.update_xaxes(title="rise of the loss (nats)", showgrid=True, zeroline=True)
    figure.update_layout(barmode="group", showlegend=True, legend=LEGEND)
    tall = 48 * max(2, len(rows))
    return dress(figure, result, theme, title="Heads replaced by predicates", plot_height=tall)
