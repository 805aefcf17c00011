"""Results as figures: one function per kind of result, for the dashboard, notebooks and files alike."""

from interp.views import (  # noqa: F401 - they register their kinds
    circuit,
    circuit_evidence,
    circuit_runs,
    composition,
    dictionary_quality,
    effects,
    evaluation,
    feature_activations,
    feature_cards,
    feature_effects,
    feature_sources,
    geometry,
    head_roles,
    heads,
    position_context,
    qk_split,
    readout,
    relevance,
)
from interp.views.agreement import compare_relevance, disagreement
from interp.views.chart import bare
from interp.views.circuit import Layout, circuit_figure, layout
from interp.views.circuit_runs import circuit_answers, circuits_of, shared_edges
from interp.views.comparison import beside, difference, difference_table
from interp.views.effects import before_after
from interp.views.export import to_csv, to_html
from interp.views.feature_cards import feature_card
from interp.views.feature_sources import SourceLine, lines_of_sources, source_lines
from interp.views.figures import choices, figure
from interp.views.grid import HeadGrid, head_grid
from interp.views.readout import target_curve
from interp.views.theme import CONFIG, THEMES, Theme, colorscale, template, theme_named

__all__ = [
    "CONFIG",
    "THEMES",
    "HeadGrid",
    "Layout",
    "SourceLine",
    "Theme",
    "bare",
    "before_after",
    "beside",
    "choices",
    "circuit_answers",
    "circuit_figure",
    "circuits_of",
    "colorscale",
    "compare_relevance",
    "difference",
    "difference_table",
    "disagreement",
    "feature_card",
    "figure",
    "head_grid",
    "layout",
    "lines_of_sources",
    "shared_edges",
    "source_lines",
    "target_curve",
    "template",
    "theme_named",
    "to_csv",
    "to_html",
]
