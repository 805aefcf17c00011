"""Roles of heads in a figure: the families of each head's features, side by side."""

import numpy as np
import plotly.graph_objects as go

from interp.kinds import HeadRoles
from interp.views.chart import LEGEND, dress
from interp.views.choosing import names_of
from interp.views.figures import view
from interp.views.labels import escape, ticks
from interp.views.layers import shades
from interp.views.marks import bars
from interp.views.theme import Theme

MOST = 8  # of a head's features


@view.register
def head_roles(result: HeadRoles, theme: Theme) -> go.Figure:
    """The share of each family among each head's top features; ★ marks a monosemantic head."""
    families, heads = names_of(result, "component"), result.data["head"].values
    share, alive, features = (result.values(name).values for name in ("share", "alive", "feature"))
    layer = result.data.attrs.get("layer", 0)
    about = [
        [int(head), int(count), f"a{layer}.{head}", _list(top)]
        for head, count, top in zip(heads, alive, features, strict=True)
    ]
    figure = go.Figure()
    for column, (name, colour) in enumerate(zip(families, _colours(theme, len(families)), strict=True)):
        hover = f"head %{{customdata[0]}}<br>{escape(name)}: %{{y:.0%}} of %{{customdata[1]}} features"
        hover, values = f"{hover}<br>%{{customdata[3]}}", np.nan_to_num(share[:, column])
        figure.add_trace(bars(colour, hover, x=np.arange(len(heads)), y=values, name=escape(name), customdata=about))
    for at in np.flatnonzero(result.values("monosemantic").values == 1):
        figure.add_annotation(x=int(at), y=1, text="★", showarrow=False, yanchor="bottom", font={"size": 13})
    figure.update_xaxes(ticks(range(len(heads)), heads, most=32), title="head")
    figure.update_yaxes(title="share of the head's top features", tickformat=".0%", range=[0, 1.12], showgrid=True)
    figure.update_layout(barmode="stack", bargap=0.15, showlegend=True, legend=LEGEND | {"traceorder": "normal"})
    notes = [
        "★ monosemantic: all of its active features (at least three) belong to one family other than mixed. "
        "Families are assigned by the positions of their sources, not by human interpretation. No bar: none of its "
        "top features is active in this text"
    ]
    return dress(figure, result, theme, title="Feature families of each head", notes=notes, plot_height=320)


def _list(features: np.ndarray) -> str:
    """A head's top features, the strongest first."""
    return " ".join(f"f{feature}" for feature in features[:MOST] if feature >= 0)


def _colours(theme: Theme, count: int) -> list[str]:
    """Blues for families of one place, others for the last three, which are of none."""
    return [*shades(theme, count - 3), theme.against, theme.diverging[2], theme.muted]
