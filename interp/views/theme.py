"""Two looks for every figure, light and dark; their colours are plain data, so that a canvas can use the same ones."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import plotly.graph_objects as go

from interp.core.errors import OptionError
from interp.core.variables import AGAINST, FOR

CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "showSendToCloud": False,
    "typesetMath": False,  # a token such as $x$ is text
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
    "toImageButtonOptions": {"scale": 2},
}
FONT = "Inter, system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
CLEAR = "rgba(0,0,0,0)"
SIDES = {  # what the two hues mean, by the sign that supports
    FOR: "purple supports (positive), orange works against (negative)",
    AGAINST: "purple supports (negative), orange works against (positive)",
    "": "purple: positive, orange: negative",
}


@dataclass(frozen=True)
class Theme:
    """The colours of one look.

    `diverging` runs from what works against the answer (orange) through zero in the middle to what supports it
    (purple), as `SIDES` says in words; `sequential` from zero to one. Both are evenly spaced stops, nearest the page's
    own colour where the value is zero.
    """

    name: str
    page: str
    card: str
    ink: str
    muted: str
    line: str
    accent: str
    diverging: tuple[str, ...]
    sequential: tuple[str, ...]

    @property
    def against(self) -> str:
        """The colour of a bar that works against the answer."""
        return self.diverging[1]

    @property
    def support(self) -> str:
        """The colour of a bar that supports the answer."""
        return self.diverging[-2]

    def ramp(self, supports: str) -> tuple[str, ...]:
        """The diverging stops from the least to the largest value, where values of the sign `supports` support."""
        return self.diverging[::-1] if supports == AGAINST else self.diverging


THEMES = {
    "light": Theme(
        name="light",
        page="#fbfbfa",
        card="#ffffff",
        ink="#1c1e21",
        muted="#5f656d",
        line="#e3e4e6",
        accent="#3b5bdb",
        diverging=(  # ColorBrewer's PuOr
            "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7", "#d8daeb", "#b2abd2", "#8073ac", "#542788",
        ),
        sequential=("#f6f7fa", "#d5dbf0", "#a9b6e0", "#7787c8", "#4a5cae", "#25358a"),
    ),
    "dark": Theme(
        name="dark",
        page="#16181b",
        card="#1d2024",
        ink="#e8eaed",
        muted="#a2a9b2",
        line="#33383e",
        accent="#8ba2ff",
        diverging=(
            "#ffa04d", "#e08434", "#a8642d", "#644427", "#25292e", "#45406b", "#6c5fa8", "#9682d6", "#bfaeff",
        ),
        sequential=("#23272c", "#303a55", "#43558a", "#5b72bd", "#7890ea", "#a3b6ff"),
    ),
}  # fmt: skip


def theme_named(name: str) -> Theme:
    """A look by its name. Raises: OptionError for a name that is not one."""
    if name not in THEMES:
        raise OptionError(f"no theme {name!r}; choose one of {', '.join(THEMES)}")
    return THEMES[name]


def colorscale(stops: tuple[str, ...]) -> list[list[Any]]:
    """Stops as plotly wants them: pairs of place in [0, 1] and colour."""
    return [[index / (len(stops) - 1), colour] for index, colour in enumerate(stops)]


@cache
def template(theme: Theme) -> go.layout.Template:
    """The plotly template of a look: quiet axes, no grid behind cells, on the colour of a card, in pictures too."""
    axis = {
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "linecolor": theme.line,
        "gridcolor": theme.line,
        "zerolinecolor": theme.muted,
        "tickfont": {"size": 11, "color": theme.muted},
        "title": {"font": {"size": 12, "color": theme.muted}, "standoff": 8},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": theme.ink},
            "paper_bgcolor": theme.card,
            "plot_bgcolor": CLEAR,
            "colorway": [theme.accent, theme.support, theme.against, theme.muted],
            "colorscale": {name: colorscale(getattr(theme, name)) for name in ("diverging", "sequential")},
            "title": {"font": {"size": 15, "color": theme.ink, "weight": 600}},
            "hoverlabel": {
                "bgcolor": theme.card,
                "bordercolor": theme.line,
                "font": {"color": theme.ink, "size": 12, "family": FONT},
                "align": "left",
            },
            "legend": {"font": {"color": theme.muted}, "bgcolor": CLEAR},
            "modebar": {"bgcolor": CLEAR, "color": theme.muted, "activecolor": theme.ink},
            "xaxis": axis,
            "yaxis": axis,
        }
    )
