"""Directions: vectors of the residual stream, where they come from, and what depends on them."""

# ruff: noqa: F401 - what the family offers
from interp.core.engine import records
from interp.core.signatures import public
from interp.directions.from_results import from_probe
from interp.models.directions import Direction, saved_directions

ENGINES = records(globals())
__dir__ = public(globals(), "Direction", "saved_directions")
