"""Geometry: where positions and contexts live, what heads match on, and how heads write to one another."""

from interp.core.engine import EngineSpec

ENGINES: tuple[EngineSpec, ...] = ()
