"""The only place that touches transformer-lens: loading, sites, edits, architectures, pulling weights."""

from interp.models.edits import Edit
from interp.models.hooked import HookedModel, Trace
from interp.models.load import load
from interp.models.sites import Site

__all__ = ["Edit", "HookedModel", "Site", "Trace", "load"]
