"""Probing: what the states of every layer hold, with controls, and how much of the text can be read back from them."""

# ruff: noqa: F401, I001 - the order of these lines is the one in which a reader meets the engines
from interp.probing.probe import probe
from interp.probing.invert import invert
from interp.probing.depth_ranking import depth_ranking
from interp.probing.disentanglement import disentanglement
from interp.probing.recoverability import recoverability
from interp.core.engine import records
from interp.core.signatures import public

ENGINES = records(globals())
__dir__ = public(globals())
