"""Geometry: where positions and contexts live, what heads match on, and how heads write to one another."""

from interp.core.engine import EngineSpec
from interp.geometry import cka as _cka
from interp.geometry import linearity as _linearity
from interp.geometry import positional_variance as _positional_variance

linearity = _linearity.SPEC
cka = _cka.SPEC
positional_variance = _positional_variance.SPEC

ENGINES: tuple[EngineSpec, ...] = (linearity, cka, positional_variance)
