"""What weights store, in figures: the neurons behind an answer."""

from typing import Any, Literal

import plotly.graph_objects as go

from interp.core.variables import FOR
from interp.kinds import MLPMemory
from interp.views.chart import LEGEND, dress
from interp.views.choosing import about_prompt, choose_row
from interp.views.figures import view
from interp.views.labels import token
from interp.views.marks import bars, limit_of, list_bars, name_rows, number_axes, sign_colours
from interp.views.theme import Theme


@view.register
def mlp_memory(
    result: MLPMemory, theme: Theme, *, show: Literal["neurons", "totals"] = "neurons", prompt: int | None = None
) -> go.Figure:
    """The neurons that contribute most, with the tokens that they write for; or every MLP's contribution."""
    row = choose_row(result, "batch", prompt)
    data, about = result.data.isel(batch=row), about_prompt(result, row)
    remainder = f"remainder at most {limit_of(data['remainder'].values):.2g} logits"
    if show == "totals":
        return _totals(result, theme, data, about, remainder)
    values, names = data["contribution"].values, [str(name) for name in data["node"].values]
    columns = (data[name].values for name in ("activation", "promoted", "suppressed", "key_value_cosine", "twin"))
    words = [
        f"{name}, activation {activation:+.3g}<br>for {token(up, 90)}<br>against {token(down, 90)}"
        f"<br>key·value {cosine:+.2f}, twin {token(twin)}<br>{token(context, 110)}"
        for name, activation, up, down, cosine, twin, context in zip(
            map(token, names), *columns, data["context"].values[:, 0], strict=True
        )
    ]
    colours = sign_colours(values, theme, FOR)
    figure = go.Figure(list_bars(values, colours, "%{customdata}<br>%{x:+.3f} logits", customdata=words))
    first = [str(up).partition(" | ")[0] for up in data["promoted"].values]
    name_rows(figure, [f"{name} → {word}" for name, word in zip(names, first, strict=True)], "neuron", limit=32)
    number_axes(figure, x="contribution (logits)")
    title, tall = "Neurons behind the answer", 20 * max(4, len(names))
    return dress(figure, result, theme, title=title, about=about, notes=[remainder], plot_height=tall, supports=FOR)


def _totals(result: MLPMemory, theme: Theme, data: Any, about: str, remainder: str) -> go.Figure:
    layers, figure = data["layer"].values, go.Figure()
    for name, words, colour in (("total", "MLP", theme.accent), ("listed", "neurons listed", theme.muted)):
        values = data[name].values
        hover = f"layer %{{x}}<br>{words} %{{y:+.3f}} logits"
        figure.add_trace(bars(colour, hover, x=layers, y=values, name=words))
    number_axes(figure, x="layer", y="contribution (logits)")
    figure.update_layout(barmode="group", showlegend=True, legend=LEGEND)
    title = "Direct contribution of every MLP"
    return dress(figure, result, theme, title=title, about=about, notes=[remainder], plot_height=300)
