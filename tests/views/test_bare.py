"""A figure as a panel shows it: the same drawing without title and small print, which stand in `meta`."""

import pytest

from interp import views
from interp.core.result import Result
from interp.views import bare, target_curve

NAMES = [name for name, kind in Result.kinds.items() if kind.__module__.startswith("interp.")]


@pytest.mark.parametrize("kind", NAMES)
def test_only_title_and_small_print_are_gone(sample, kind: str) -> None:
    result = sample(kind)
    figure = views.figure(result)
    whole, shown = figure.to_plotly_json(), bare(figure)
    layout, before = shown["layout"], whole["layout"]
    assert repr(shown["data"]) == repr(whole["data"])
    assert "title" not in layout
    assert "sign" not in [annotation.get("name") for annotation in layout["annotations"]]
    assert layout["meta"]["measured"] == result.measured
    assert layout["meta"]["sign"] == result.sign
    assert layout["meta"]["title"]
    plots = [part["height"] - part["margin"]["t"] - part["margin"]["b"] for part in (layout, before)]
    assert plots[0] == plots[1]
    assert layout["margin"]["t"] < before["margin"]["t"]
    assert {name for name in before if name not in layout} == {"title"}


def test_readouts_are_compared_under_their_names(sample) -> None:
    result = sample("LayerReadout")
    (one,) = [target_curve(result).to_plotly_json()["data"]]
    both = target_curve({"before": result, "<b>after</b>": result}, pos=2).to_plotly_json()["data"]
    assert len(one) == 2
    assert [trace["name"] for trace in both] == ["before"] * 2 + ["&lt;b&gt;after&lt;/b&gt;"] * 2
    alone = target_curve(result, pos=2).to_plotly_json()["data"]
    assert repr(both[0]["y"]) == repr(both[2]["y"]) == repr(alone[0]["y"])
