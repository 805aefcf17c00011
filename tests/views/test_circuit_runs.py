"""Circuits that are run, and what two of them share: what is drawn is the results' numbers."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from interp import views
from interp.core.errors import ResultError
from interp.kinds import Circuit


def test_circuits_alone_between_no_edge_and_the_whole_model(sample) -> None:
    result = sample("CircuitAblation")
    other = replace(result, data=result.data.assign(edited=result.data["edited"] + 1, faithfulness=((), np.array(2.0))))
    drawn = views.circuit_answers({"circuit": result, "with cuts": other})
    data = result.data.isel(batch=0)
    expected = [data["corrupted"], data["edited"], data["edited"] + 1, data["clean"]]
    assert_allclose(drawn.data[0].x, np.array(expected, dtype=float))
    told = list(drawn.layout.yaxis.ticktext)
    assert [text.split()[0] for text in told] == ["every", "circuit", "with", "whole"]
    assert "(25%)" in told[1]
    assert "(200%)" in told[2]
    assert drawn.layout.title.text == "Faithfulness 25%, 200%; with cuts: effect +1"
    assert_allclose(drawn.data[1].x, data["clean_prob"])
    assert_allclose(drawn.data[2].x, data["edited_prob"])


def test_a_share_of_nothing_is_not_drawn(sample) -> None:
    result = sample("CircuitAblation")
    nothing = replace(result, data=result.data.assign(faithfulness=((), np.array(np.nan))))
    drawn = views.figure(nothing)
    assert "the same metric" in drawn.layout.title.text
    assert not any("%" in text for text in drawn.layout.yaxis.ticktext)


def test_growth(sample) -> None:
    result = sample("CircuitGrowth")
    drawn = views.figure(result)
    *_, own = drawn.data
    assert_allclose(own.x, result.data["edges"])
    assert_allclose(own.y, result.data["faithfulness"])
    assert_allclose(drawn.data[2].y, result.data["random_faithfulness"].mean("draw"))
    assert drawn.layout.xaxis.type == "log"
    undefined = replace(result, data=result.data.assign(faithfulness=result.data["faithfulness"] * np.nan))
    assert any("the same metric" in note for note in views.figure(undefined).layout.meta["notes"])


def test_shared_edges_are_listed_with_both_scores(sample) -> None:
    one = sample("EdgeScores")
    other = replace(one, data=one.data.assign(score=one.data["score"][:, ::-1] * 2))
    sizes = (6, 9)
    drawn = views.shared_edges({"mine": one, "theirs": other}, edges=sizes)
    circuits = [Circuit.of(result, edges=size) for result, size in zip((one, other), sizes, strict=True)]
    shared = circuits[0].shared_with(circuits[1])
    assert drawn.layout.title.text.startswith(f"{len(shared.edges)} edges of {len(circuits[0])} and {len(circuits[1])}")
    for trace, circuit in zip(drawn.data, circuits, strict=True):
        scores = {f"{edge.sender} → {edge.receiver}": edge.score for edge in circuit.edges}
        for (name, _), value in zip(trace.customdata, trace.x, strict=True):
            assert value == pytest.approx(scores.get(name, np.nan), nan_ok=True)
    with pytest.raises(ResultError, match="comparing circuits takes two results"):
        views.shared_edges({"mine": one})


def test_methods_disagree_by_the_gap_between_their_shares(sample) -> None:
    one = sample("Relevance")
    other = replace(one, data=one.data.assign(relevance=one.data["relevance"][:, ::-1] * 3))
    drawn = views.disagreement({"a": one, "b": other})
    shares = [r.data["relevance"].values[0] / np.abs(r.data["relevance"].values[0]).sum() for r in (one, other)]
    assert_allclose(drawn.data[0].y, np.abs(shares[0] - shares[1]), atol=1e-6)
    assert_allclose(np.diag(drawn.data[1].z), [1, 1])
