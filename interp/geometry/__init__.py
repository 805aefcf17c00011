"""Geometry: where positions and contexts live, what heads match on, and how heads write to one another."""

from interp.core.engine import EngineSpec
from interp.geometry import channel_ablation as _channel_ablation
from interp.geometry import cka as _cka
from interp.geometry import head_composition as _head_composition
from interp.geometry import linearity as _linearity
from interp.geometry import position_context as _position_context
from interp.geometry import positional_variance as _positional_variance
from interp.geometry import qk_split as _qk_split
from interp.geometry.parts import statistics as statistics

position_context = _position_context.SPEC
qk_split = _qk_split.SPEC
head_composition = _head_composition.SPEC
channel_ablation = _channel_ablation.SPEC
linearity = _linearity.SPEC
cka = _cka.SPEC
positional_variance = _positional_variance.SPEC

ENGINES: tuple[EngineSpec, ...] = (
    position_context,
    qk_split,
    head_composition,
    channel_ablation,
    linearity,
    cka,
    positional_variance,
)
