"""Parts of the comparison are kept and read again; correlations are right where the scores are known."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import interp
from analyses.method_comparison import measure
from analyses.method_comparison.run import main
from interp.core.errors import ResultError
from interp.evaluation.items import agreement_items
from interp.kinds import Faithfulness, MethodScores

METHODS = ["attnlrp", "gradient-x-input", "cp-lrp"]


@pytest.fixture(scope="module")
def items(tiny):
    return agreement_items(tiny("llama"), 12, seed=0, batch_size=8)


def test_the_parts_make_the_whole(tiny, items, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "PROMPTS_AT_ONCE", 2)
    model = tiny("llama")
    found = measure.scores(model, items, METHODS, tmp_path)
    whole = interp.evaluation.sva_benchmark(model, items, methods=METHODS)
    assert found.data.drop_vars("method").equals(whole.data.drop_vars("method"))
    assert found.data["method"].values.tolist() == whole.data["method"].values.tolist()
    assert found.provenance.options["methods"] == METHODS

    prompts = items[measure.right_rows(found, 3)]
    faithful = measure.faithfulness(model, prompts, METHODS[:2], tmp_path / "faithfulness")
    alone = interp.evaluation.faithfulness(model, prompts, methods=METHODS[:2])
    assert faithful.data["prompt"].values.tolist() == list(prompts.texts)
    for name in ("comprehensiveness", "curve", "control_interval"):
        np.testing.assert_allclose(faithful.values(name), alone.values(name), atol=1e-5)


def test_what_is_kept_is_not_made_again(tiny, items, tmp_path, monkeypatch):
    model = tiny("llama")
    first = measure.scores(model, items, METHODS[:2], tmp_path)
    refuse = SimpleNamespace(sva_benchmark=lambda *given, **more: pytest.fail("made again"))
    monkeypatch.setattr(measure.interp, "evaluation", refuse)
    assert measure.scores(model, items, METHODS[:2], tmp_path).data.equals(first.data)
    monkeypatch.undo()
    other = agreement_items(model, 5, seed=1, batch_size=8)
    assert measure.scores(model, other, METHODS[:1], tmp_path).data.sizes["batch"] == len(other)


def test_scores_of_other_sentences_are_refused(tiny, items, tmp_path):
    model = tiny("llama")
    path = interp.evaluation.sva_benchmark(model, items, methods=METHODS[:1]).save(tmp_path / "scores")
    assert isinstance(measure.read_scores(path, model, items, METHODS[:1]), MethodScores)
    with pytest.raises(ResultError, match="has no scores of cp-lrp, gradient-x-input"):
        measure.read_scores(path, model, items, METHODS)
    with pytest.raises(ResultError, match="not sva-benchmark of these sentences"):
        measure.read_scores(path, model, agreement_items(model, 5, seed=1, batch_size=8), METHODS[:1])


def test_rank_correlation_over_methods():
    random = np.random.default_rng(0)
    left, right = random.integers(0, 4, (2, 20, 6))
    expected = [stats.spearmanr(one, other).statistic for one, other in zip(left, right, strict=True)]
    np.testing.assert_allclose(measure.spearman(left, right), expected, atol=1e-12)


def test_agreement_has_one_sign_for_every_score():
    """Methods that find more evidence and are more faithful by every score agree perfectly."""
    base = np.arange(4.0) + np.zeros((5, 1))
    axes = ("batch", "method")
    names = {"method": list("abcd")}
    evidence = SimpleNamespace(data=SimpleNamespace(sizes={"batch": 5}), values=lambda name: _array(base, axes, names))
    faithful = SimpleNamespace(values=lambda name: _array(measure.FAITHFUL[name] * base, axes, names))
    for *_, value, low, high in measure.rank_agreement(evidence, faithful, list("abcd"), resamples=20):
        np.testing.assert_allclose([value, low, high], 1)
    assert set(measure.FAITHFUL) <= set(Faithfulness.variables)


def _array(values, axes, names):
    return measure.xr.DataArray(values, dims=axes, coords=names)


def test_the_whole_study_on_a_tiny_model(checkpoint, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Study\n<!-- tables -->\n<!-- end of tables -->\n")
    arguments = ["--model", str(checkpoint("llama")), "--out", str(tmp_path), "--readme", str(readme)]
    main([*arguments, *"--n 4 --faithful 3 --methods attnlrp gradient-x-input".split()])
    text = readme.read_text()
    assert "(4 of " in text
    assert "| attnlrp |" in text
    assert "| pointing game, top k |" in text
    assert (tmp_path / "n4-seed0" / "figure.html").is_file()
    main([*arguments, *"--n 4 --faithful 3 --methods attnlrp gradient-x-input".split()])
    assert readme.read_text() == text
