"""Directions: vectors of the residual stream, where they come from, and what depends on them."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.directions.steer import steer
from interp.directions.dose_curve import dose_curve
from interp.core.engine import records
from interp.core.signatures import public
from interp.directions.from_pairs import from_pairs
from interp.directions.from_results import from_probe
from interp.models.directions import Direction, saved_directions

ENGINES = records(globals())
__dir__ = public(globals(), "Direction", "saved_directions")
