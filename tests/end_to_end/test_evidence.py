"""The Evidence page in a real browser: what is known of every method, and its score beside it on other pages."""

import numpy as np
import pytest
from end_to_end.browsing import Tab

from interp import groundtruth

pytestmark = [pytest.mark.browser, pytest.mark.real_model]


def test_scores_are_the_scorecards_and_a_model_can_be_looked_at(tab: Tab) -> None:
    card = groundtruth.scores().data
    tab.open(page="evidence", finds="edges")
    tab.page.wait_for_selector("[data-slot='evidence_models'] .main-svg")
    edges = card.isel(method=np.flatnonzero(card["finds"].values == "edges"))

    def lengths() -> list[float]:
        return sorted(tab.evaluate(f"Array.from({tab.figure('evidence_methods')}._fullData[0].x)"))

    np.testing.assert_allclose(lengths(), np.sort(edges["overall_auc"].values), atol=1e-6)
    methods = tab.evaluate(f"{tab.figure('evidence_models')}.layout.yaxis.ticktext")
    assert set(methods) == set(edges["method"].values)
    tab.click_point("evidence_models", "rasp/sort", 0)
    tab.settle()
    assert "known=rasp%2Fsort" in tab.page.url
    there = edges["auc"].sel(model="rasp/sort").values
    np.testing.assert_allclose(lengths(), np.sort(there[np.isfinite(there)]), atol=1e-6)
    tab.page.click("[data-set='known'][data-value='']")
    tab.page.click("[data-set='finds'][data-value='tokens']")
    tab.settle()
    tokens = card.isel(method=np.flatnonzero(card["finds"].values == "tokens"))
    np.testing.assert_allclose(lengths(), np.sort(tokens["overall_auc"].values), atol=1e-6)


def test_a_method_has_its_score_beside_it_which_leads_to_where_it_is_from(tab: Tab) -> None:
    tab.open(page="circuit", circuit="eap")
    tab.page.wait_for_selector(".panel[data-panel='circuit'] .score")
    assert tab.text(".panel[data-panel='circuit'] .score") == f"eap finds {groundtruth.score_of('eap')}"
    tab.page.click(".panel[data-panel='circuit'] .score")
    tab.settle()
    assert "page=evidence" in tab.page.url
    tab.open(page="engines", engine="rollout")
    assert groundtruth.score_of("rollout") in tab.text(".drawn-enginehead")
