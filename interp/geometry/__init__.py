"""Geometry: how the stream represents position and context, what heads attend by, and how heads compose."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.geometry.position_context import position_context
from interp.geometry.qk_split import qk_split
from interp.geometry.head_composition import head_composition
from interp.geometry.channel_ablation import channel_ablation
from interp.geometry.linearity import linearity
from interp.geometry.cka import cka
from interp.geometry.positional_variance import positional_variance
from interp.geometry.token_clusters import token_clusters
from interp.geometry.feature_diversity import feature_diversity
from interp.geometry.activation_sparsity import activation_sparsity
from interp.geometry.positions.parts import position_parts, statistics
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
