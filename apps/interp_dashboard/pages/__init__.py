"""The pages. To add one: a module with a `PAGE`, and its line here."""

from interp_dashboard.pages import ablate, attribution, circuit, features, geometry, heads, lens, overview
from interp_dashboard.pages.page import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    lens.PAGE,
    heads.PAGE,
    attribution.PAGE,
    circuit.PAGE,
    geometry.PAGE,
    features.PAGE,
    ablate.PAGE,
)

__all__ = ["PAGES", "Page"]
