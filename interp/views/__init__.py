"""Results as figures: one function per kind of result, for the dashboard, notebooks and files alike."""

from interp.views import (  # noqa: F401 - they register their kinds
    circuit,
    circuit_evidence,
    circuit_runs,
    clustering,
    composition,
    dictionary_quality,
    directions,
    effects,
    evaluation,
    feature_activations,
    feature_cards,
    feature_effects,
    feature_sources,
    flow,
    geometry,
    head_cards,
    head_measures,
    head_patterns,
    head_roles,
    heads,
    knowledge,
    layer_measures,
    patterns,
    position_context,
    probing,
    programs,
    qk_split,
    readout,
    relevance,
    routing,
    special_models,
    text_spans,
    training,
)
from interp.views.agreement import compare_relevance, disagreement, disagreement_table
from interp.views.chart import bare
from interp.views.circuit import Layout, circuit_figure, layout
from interp.views.circuit_runs import circuit_answers, circuits_of, shared_edges, shared_table
from interp.views.comparison import beside, beside_table, difference, difference_table
from interp.views.effects import before_after, effects_of_nodes, prediction_table, predictions
from interp.views.export import flat, to_csv, to_html
from interp.views.feature_cards import card_table, feature_card, features_found
from interp.views.feature_sources import SourceLine, lines_of_sources, source_lines
from interp.views.figures import at_step, choices, figure
from interp.views.grid import HeadGrid, head_grid
from interp.views.judged import judged_figure
from interp.views.layer_columns import how_measured, layer_curves, layer_table, measures_of, usual_measures
from interp.views.patterns import pooled
from interp.views.readout import answer_path, target_curve, target_table
from interp.views.scores import methods_table, scores_by_model, scores_table
from interp.views.tables import head_table, table, table_at_step
from interp.views.theme import CONFIG, THEMES, Theme, colorscale, template, theme_named

__all__ = [
    "CONFIG",
    "THEMES",
    "HeadGrid",
    "Layout",
    "SourceLine",
    "Theme",
    "answer_path",
    "at_step",
    "bare",
    "before_after",
    "beside",
    "beside_table",
    "card_table",
    "choices",
    "circuit_answers",
    "circuit_figure",
    "circuits_of",
    "colorscale",
    "compare_relevance",
    "difference",
    "difference_table",
    "disagreement",
    "disagreement_table",
    "effects_of_nodes",
    "feature_card",
    "features_found",
    "figure",
    "flat",
    "head_grid",
    "head_table",
    "how_measured",
    "judged_figure",
    "layer_curves",
    "layer_table",
    "layout",
    "lines_of_sources",
    "measures_of",
    "methods_table",
    "pooled",
    "prediction_table",
    "predictions",
    "scores_by_model",
    "scores_table",
    "shared_edges",
    "shared_table",
    "source_lines",
    "table",
    "table_at_step",
    "target_curve",
    "target_table",
    "template",
    "theme_named",
    "to_csv",
    "to_html",
    "usual_measures",
]
