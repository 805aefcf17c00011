"""Families of features: planted patterns are told by name, the measures are those of a plain loop over places."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch
from asking import CAUSAL, prompts_for

from interp import Edit, Prompts, Site, dictionaries
from interp.core.errors import DictionaryError, EngineError
from interp.corpus import Windows
from interp.dictionaries import head_roles
from interp.dictionaries.head_roles import FAMILIES, MEASURES, family_of, measures_of, monosemantic
from interp.dictionaries.sae.attached import Attached

NEAR = 3
TOKENS = [5, 8, 5, 9, 7, 8, 6, 5, 1, 2, 3, 4]  # 5 and 8 come again


def by_loop(dfa, tokens, query, near):
    """Measures of one query, position by position."""
    total = sum(abs(dfa[key]) for key in range(query + 1))
    found = dict.fromkeys(MEASURES, 0.0)
    for key in range(query + 1):
        share, here = abs(dfa[key]) / total, set()
        if key == query:
            here.add("current")
        if key == query - 1:
            here.add("previous")
        if key == 0:
            here.add("first")
        if key < query and tokens[key] == tokens[query]:
            here.add("duplicate")
        if 0 < key < query and tokens[key - 1] == tokens[query]:
            here.add("induction")
        if query - key <= near:
            here.add("near")
        for name in here:
            found[name] += share
            if f"{name}_chance" in found:
                found[f"{name}_chance"] += 1 / (query + 1)
        found["distance"] += share * (query - key)
    return found


def test_measures_by_definition():
    """Random weights of either sign, and numbers beyond the query that count for nothing."""
    dfa = torch.randn(12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    tokens = torch.tensor([TOKENS] * 12)
    found = measures_of(dfa, tokens, torch.arange(12), NEAR)
    assert set(found) == set(MEASURES)
    for query in range(12):
        for name, value in by_loop(dfa[query].tolist(), TOKENS, query, NEAR).items():
            assert float(found[name][query]) == pytest.approx(value, abs=1e-12), (query, name)


@pytest.mark.parametrize(
    ("query", "sources", "family"),
    [
        (7, {1: -0.6, 3: 0.3, 6: 0.1}, "induction"),  # after both earlier 5s
        (5, {1: 0.8, 2: 0.2}, "duplicate token"),
        (9, {8: 0.7, 0: 0.3}, "previous token"),
        (9, {0: -0.9, 9: 0.1}, "first token"),
        (9, {9: 0.5, 1: 0.3, 2: 0.2}, "current token"),
        (10, {8: 0.4, 9: 0.2, 7: 0.2, 1: 0.2}, "short-range"),
        (10, {1: 0.4, 2: 0.4, 9: 0.2}, "long-range"),
        (10, {1: 0.3, 2: 0.2, 9: 0.2, 8: 0.3}, "mixed"),
    ],
)
def test_planted_sources(query, sources, family):
    dfa = torch.zeros(1, 12, dtype=torch.float64)
    for key, value in sources.items():
        dfa[0, key] = value
    found = measures_of(dfa, torch.tensor([TOKENS]), torch.tensor([query]), NEAR)
    assert family_of({name: float(value) for name, value in found.items()}) == family
    assert family in FAMILIES


def test_one_family():
    """Three active features at least; those that no rule sorts are of no family."""
    heads = {
        ("induction", "induction", "induction", "(none)"): 1,
        ("long-range", "long-range", "long-range", "long-range"): 1,
        ("induction", "induction", "induction", "mixed"): 0,
        ("first token", "first token", "current token", "(none)"): 0,
        ("mixed", "mixed", "mixed", "mixed"): 0,
        ("induction", "induction", "(none)", "(none)"): np.nan,
        ("(none)", "(none)", "(none)", "(none)"): np.nan,
    }
    np.testing.assert_array_equal(monosemantic(np.array(list(heads), dtype=object)), list(heads.values()))


# Whole runs with patterns put into the model


def place(kind: str, tokens: torch.Tensor, query: int) -> int:
    """The key that a planted head attends to."""
    earlier = [key for key in range(query) if tokens[key] == tokens[query]]
    if kind == "previous token":
        return max(0, query - 1)
    if not earlier:
        return 0
    return earlier[-1] + 1 if kind == "induction" else earlier[-1]


@pytest.mark.parametrize("kind", ["induction", "previous token", "duplicate token"])
def test_planted_attention(tiny, kind, monkeypatch):
    """Each head's whole attention put on one kind of place: every feature that is active is of that family."""
    model = tiny("llama")
    body = torch.randperm(300, generator=torch.Generator().manual_seed(1))[:20].tolist()
    prompts = Prompts.of_tokens(model, [body + body, body[::-1] + body[::-1]])
    pattern = torch.zeros(2, model.dims.heads, 40, 40)
    for row in range(2):
        for query in range(40):
            pattern[row, :, query, place(kind, prompts.tokens[row], query)] = 1
    site = Site("pattern", 1)

    class Planted:
        """The model with the pattern put in, whichever of the prompts it reads."""

        def __getattr__(self, name):
            return getattr(model, name)

        def record(self, batch, sites):
            rows = [next(i for i in range(2) if torch.equal(prompts.tokens[i], row)) for row in batch.tokens]
            return model.record(batch, sites, edits=[Edit.replace(site, pattern[rows])])

    found = dictionaries.attached(model)
    with torch.no_grad():
        found.sae.threshold.fill_(0.5)
    planted = Attached(Planted(), found.site, found.sae, found.name)
    monkeypatch.setattr(import_module("interp.dictionaries.head_roles"), "attached", lambda model, name: planted)
    result = head_roles(model, prompts, top_contexts=2, skip=20)
    families = result.values("family").values
    assert set(families.ravel()) == {kind, "(none)"} or set(families.ravel()) == {kind}
    alive = (families != "(none)").sum(1)
    np.testing.assert_array_equal(result.values("alive").values, alive)
    assert alive.any()
    shares = result.values("share").sel(component=kind).values
    np.testing.assert_array_equal(shares[alive > 0], 1)
    np.testing.assert_array_equal(result.values("monosemantic").values, np.where(alive > 2, 1, np.nan))


@pytest.mark.parametrize("family", CAUSAL)
def test_the_table(tiny, family):
    """Top features by weight; measures from DFA summed up place by place in every feature's highest contexts."""
    model = tiny(family, "float64")
    attached, prompts = dictionaries.attached(model), prompts_for(model, family)
    result = head_roles(model, prompts, top_features=6, near=NEAR)
    width, sae = model.dims.d_head, attached.sae
    norms = sae.W_dec.unflatten(1, (-1, width)).norm(dim=-1)
    weight = (norms / norms.sum(1, keepdim=True)).T
    features, pattern, v = attached.features(prompts), Site("pattern", 1), Site("v", 1)
    trace = model.record(prompts, [pattern, v])
    shared = model.dims.heads // model.dims.kv_heads
    frame = result.to_frame("features")
    for head in range(model.dims.heads):
        expected = weight[head].argsort(descending=True)[:6]
        table = frame[frame["head"] == head]
        assert table["feature"].tolist() == expected.tolist()
        np.testing.assert_allclose(table["weight"], weight[head][expected])
        for row in table.to_dict("records"):
            feature, rows = row["feature"], []
            for window in range(2):
                length = int(prompts.mask[window].sum())
                values = features[window, 1:length, feature]
                if not (values > 0).any():
                    continue
                query = 1 + int(values.argmax())
                dfa = [
                    sum(
                        float(trace[pattern][window, h, query, key])
                        * float(trace[v][window, key, h // shared] @ sae.W_enc[h * width : (h + 1) * width, feature])
                        for h in range(model.dims.heads)
                    )
                    for key in range(length)
                ]
                rows.append(by_loop(dfa, prompts.tokens[window].tolist(), query, NEAR))
            if not rows:
                assert row["family"] == "(none)"
                continue
            means = pd.DataFrame(rows).mean()
            for name in MEASURES:
                assert row[name] == pytest.approx(means[name], abs=1e-6), (feature, name)
            assert row["family"] == family_of(means.to_dict())
        counted = [(table["family"] == each).sum() for each in FAMILIES]
        alive = sum(counted)
        assert result.values("alive").sel(head=head).item() == alive
        np.testing.assert_allclose(result.values("share").sel(head=head), np.array(counted) / alive)
        there = [each for each in table["family"] if each != "(none)"]
        expected = float(len(set(there)) == 1 and there[0] != "mixed") if len(there) > 2 else np.nan
        np.testing.assert_equal(result.values("monosemantic").sel(head=head).item(), expected)


def test_refused(tiny, saved):
    with pytest.raises(EngineError, match="bidirectional"):
        head_roles(tiny("bert-masked"), "the [MASK]")
    model = tiny("llama")
    folder, _ = saved("standard", model.dims.d_model, hook="blocks.1.hook_resid_pre", model=model.name)
    with pytest.raises(DictionaryError, match="only attention outputs"):
        head_roles(model, "The keys", dictionary=str(folder))


# The engine of cards, on text


def test_cards_of_windows(tiny, tmp_path, monkeypatch):
    """Its table of contexts is the text; asked again for some features, nothing is run."""
    model = tiny("llama")
    (tmp_path / "text.txt").write_text("When Mary and John went to the store, John gave a drink to Mary. " * 30)
    asked = {"corpus": str(tmp_path / "text.txt"), "windows": 4, "length": 20, "folder": str(tmp_path / "cards")}
    result = dictionaries.feature_cards(model, **asked)
    attached = dictionaries.attached(model)
    windows = Windows.cut(model, str(tmp_path / "text.txt"), windows=4, length=20)
    kept = windows[windows.distinct()]
    features = attached.features(kept)[:, 1:]
    np.testing.assert_allclose(result.values("density"), (features > 0).float().mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(result.values("max").fillna(0), features.amax((0, 1)).clamp(min=0), rtol=1e-4, atol=1e-5)
    for row in result.to_frame("contexts").to_dict("records"):
        if row["window"] >= 0:
            labels, at = kept.labels[row["window"]], row["pos"]
            assert f"⟦{labels[at]}⟧" in row["text"]
            assert row["text"].replace("⟦", "").replace("⟧", "") == "".join(labels[max(0, at - 8) : at + 9])
    with monkeypatch.context() as patch:
        patch.setattr(type(model), "run", lambda *args, **kwargs: pytest.fail("it was run again"))
        some = dictionaries.feature_cards(model, features=(5, 2, 5), **asked)
    assert some.data["feature"].values.tolist() == [5, 2]
    assert float(some.values("density")[0]) == float(result.values("density").sel(feature=5))
