"""The pages, in the order of the rail."""

from interp_dashboard.page import Page
from interp_dashboard.pages import (
    ablate,
    attribution,
    circuit,
    engines,
    evidence,
    features,
    geometry,
    heads,
    layers,
    lens,
    overview,
    probes,
    sandbox,
)

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    lens.PAGE,
    heads.PAGE,
    attribution.PAGE,
    circuit.PAGE,
    layers.PAGE,
    geometry.PAGE,
    probes.PAGE,
    features.PAGE,
    ablate.PAGE,
    sandbox.PAGE,
    engines.PAGE,
    evidence.PAGE,
)
