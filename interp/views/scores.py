"""Every method on every model of known truth, as a map."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp.kinds import Scorecard
from interp.views.chart import dress
from interp.views.choosing import choose_one, names_of
from interp.views.evaluation import FOUND
from interp.views.labels import escape, ticks
from interp.views.marks import cells, name_rows
from interp.views.theme import theme_named


def scores_by_model(result: Scorecard, *, show: str = "auc", finds: str = "edges", theme: str = "light") -> go.Figure:
    """A score of each method that finds edges (or what `finds` says) on each model; empty cells say why.

    Methods with the best mean stand on top. Raises: OptionError for a score or a thing that there is not.
    """
    look, things = theme_named(theme), names_of(result, "finds")
    choose_one("show", show, tuple(FOUND))
    data = result.data.isel(method=[i for i, thing in enumerate(things) if thing == choose_one("finds", finds, things)])
    data = data.isel(method=np.argsort(-np.nan_to_num(data[f"overall_{show}"].values, nan=-1), kind="stable"))
    names, models = ([str(each) for each in data[axis].values] for axis in ("method", "model"))
    z, reasons = data[show].values.T, data["reason"].values.T
    words = [
        [
            f"{escape(name)}<br>{escape(model)}<br>{escape(reason) if np.isnan(value) else f'{value:.3f}'}"
            for model, value, reason in zip(models, *row, strict=True)
        ]
        for name, *row in zip(names, z, reasons, strict=True)
    ]
    about: dict[str, Any] = {"x": models, "y": np.arange(len(names)), "customdata": words, "zmin": 0, "zmax": 1}
    figure = go.Figure(cells(z, look, signed=False, hover="%{customdata}", **about))
    figure.update_xaxes(ticks(models, models, limit=28), tickangle=-45, title="model")
    name_rows(figure, names, "method", limit=28)
    return dress(
        figure, result, look, title=f"Which methods find {finds}, model by model", plot_height=26 * len(names) + 20,
        bar=FOUND[show],
    )  # fmt: skip


def methods_table(
    result: Scorecard, *, show: str = "auc", finds: str = "edges", model: str | None = None
) -> pd.DataFrame:
    """The means of the methods that find edges (or what `finds` says) over models, with intervals; or one model's."""
    if model is None:
        return result.to_frame("overall").query("finds == @finds").reset_index(drop=True)
    return scores_table(result, show=show, finds=finds).query("model == @model").reset_index(drop=True)


def scores_table(result: Scorecard, *, show: str = "auc", finds: str = "edges") -> pd.DataFrame:
    """Every score of the methods that find edges (or what `finds` says), with what it cost or why there is none."""
    frame = result.to_frame()
    return frame.query("finds == @finds").reset_index(drop=True)
