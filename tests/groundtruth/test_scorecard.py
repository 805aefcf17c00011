"""The scorecard: its numbers from their definitions, any engine's row, refusals, runs that are stopped or shared."""

import math
from importlib import import_module
from itertools import permutations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import average_precision_score, roc_auc_score

import interp
from interp import circuits, groundtruth
from interp.core.engine import EngineSpec, engine
from interp.core.errors import Cancelled, EngineError, ModelError, OptionError, ResultError
from interp.core.intervals import bootstrap_mean
from interp.core.metric import Metric
from interp.core.progress import reporting
from interp.core.prompts import PromptPairs
from interp.core.ranking import detection
from interp.core.result import Result
from interp.groundtruth import finding, packaged, scoring
from interp.groundtruth.planted import planted_shares, share_prompts
from interp.groundtruth.questions import depends_on, feature_site, questions
from interp.kinds import EdgeScores, Scorecard
from interp.models import HookedModel, Site
from interp.tasks import program as program_task
from interp.tasks.programs import PROGRAMS

QUICK = {"draws": 2, "n": 6}


@pytest.fixture(scope="module")
def model() -> HookedModel:
    return interp.load("rasp/sort", dtype="float64")


@pytest.fixture
def register(monkeypatch):
    """Make an engine one of the family of circuits."""

    def add(spec: EngineSpec) -> EngineSpec:
        monkeypatch.setattr(circuits, "ENGINES", (*circuits.ENGINES, spec))
        return spec

    return add


# Numbers


def plainly(strength, truth) -> tuple[float, float, float]:
    """The three numbers of one order without equals, by loops."""
    order = sorted(range(len(truth)), key=lambda index: -strength[index])
    pairs = [(a, b) for a in range(len(truth)) for b in range(len(truth)) if truth[a] and not truth[b]]
    auc = sum(strength[a] > strength[b] for a, b in pairs) / len(pairs)
    hits, precisions = 0, []
    for place, index in enumerate(order, 1):
        if truth[index]:
            hits += 1
            precisions.append(hits / place)
    size = sum(truth)
    return auc, sum(precisions) / size, sum(truth[index] for index in order[:size]) / size


@pytest.mark.parametrize("seed", range(20))
def test_detection_without_equals(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 30))
    strength, truth = rng.normal(size=count), np.arange(count) < rng.integers(1, count)
    found = detection(strength, truth)
    assert found == pytest.approx(plainly(strength, truth), abs=1e-12)
    assert found.auc == pytest.approx(roc_auc_score(truth, strength))
    assert found.average_precision == pytest.approx(average_precision_score(truth, strength))


@pytest.mark.parametrize("values", [(1, 1, 0, 0, 2), (1, 1, 1, 1, 1), (2, 2, 1, 1, 1, 0), (0, 0, 3, 3, 3, 3)])
def test_detection_is_the_mean_over_all_orders_of_equals(values):
    for truth in product([False, True], repeat=len(values)):
        if all(truth) or not any(truth):
            assert np.isnan(detection(np.array(values), np.array(truth))).all()
            continue
        orders = [
            plainly([value + 1e-3 * place for value, place in zip(values, order, strict=True)], truth)
            for order in permutations(range(len(values)))
        ]
        assert detection(np.array(values), np.array(truth)) == pytest.approx(np.mean(orders, 0), abs=1e-12)


@pytest.mark.parametrize(("count", "true"), [(5, 2), (46, 7), (9, 8)])
def test_random_is_what_a_random_order_scores_on_average(count, true):
    """Of N candidates of which P are true: AUC ½, precision P / N, and AP with a sum of its own."""
    harmonic = sum(1 / place for place in range(1, count + 1))
    expected = harmonic / count + (true - 1) / (count - 1) * (count - harmonic) / count
    found = detection(np.ones(count), np.arange(count) < true)
    assert found == pytest.approx((0.5, expected, true / count), abs=1e-12)


def test_intervals_resample_models_and_draws_within_each():
    from interp.groundtruth.scorecard import _overall

    rng = np.random.default_rng(0)
    values = rng.uniform(size=(5, 1, 3))
    values[4] = np.nan  # a model that it refuses
    mean, interval = _overall(values)
    assert mean[0] == pytest.approx(values[:4].mean())
    samples = []
    for _ in range(4000):
        models = rng.integers(0, 4, 4)
        samples.append(np.mean([values[m, 0, rng.integers(0, 3, 3)].mean() for m in models]))
    assert interval[0] == pytest.approx(np.quantile(samples, [0.025, 0.975]), abs=0.03)


# Truth


def test_tokens_on_which_an_output_depends():
    sort, reverse, hist = PROGRAMS["sort"], PROGRAMS["reverse"], PROGRAMS["hist_bos"]
    assert [depends_on(reverse, ("a", "b", "c", "d", "a"), 1, at) for at in range(5)] == [False] * 3 + [True, False]
    for sequence in (1, 2, 3, 4, 4), (4, 4, 4, 4, 1):  # the least: of several least ones, none alone
        for at in range(5):
            others = {min((*sequence[:at], value, *sequence[at + 1 :])) for value in (1, 2, 3, 4)}
            assert depends_on(sort, sequence, 0, at) == (len(others) > 1)
    assert depends_on(hist, ("^", "a", "b", "c", "a", "b"), 1, 0) is None  # no other start


def test_nodes_and_edges_are_those_of_the_circuit(model):
    pairs = program_task(model, n=2)
    (edges,), (nodes,) = (questions(model, finds, pairs) for finds in ("edges", "nodes"))
    assert len(edges.candidates) == groundtruth.circuit(model).graph.edge_count
    assert edges.effective == {"embed m0", "m0 q1.0", "m0 k1.0", "a1.0 m1", "m1 k2.0", "embed v2.0", "a2.0 logits"}
    assert edges.effective < edges.static
    assert set(nodes.candidates) == {"a0.0", "m0", "a1.0", "m1", "a2.0", "m2"}
    assert nodes.effective == {"m0", "a1.0", "m1", "a2.0"}


@pytest.mark.parametrize("name", ["rasp/sort", "rasp/pair_balance"])
def test_the_planted_dictionary_is_the_stream(name):
    """It misses nothing; and a feature that matters is on an axis that something behind it reads."""
    model = interp.load(name, dtype="float64")
    pairs = program_task(model, n=8)
    with finding.planted_dictionary(model) as folder:
        result = interp.dictionaries.feature_attribution(model, pairs, dictionary=folder)
    assert np.abs(result.error.values).max() < 1e-9
    (question,) = questions(model, "features", pairs)
    assert question.effective
    layers = range(feature_site(model).layer + 1, model.dims.layers)
    read = [model.weights.mlp_pre(layer).matrix for layer in layers]
    read += [head for layer in layers for kind in "qkv" for head in model.weights.projection(kind, layer).matrix]
    used = sum(matrix.abs().sum(-1) for matrix in (*read, model.weights.unembedding())) > 0
    assert {int(axis) for axis in question.effective} <= set(np.flatnonzero(used.numpy()).tolist())


@pytest.mark.parametrize("name", ["rasp/reverse", "rasp/successor"])
def test_planted_shares_are_those_of_the_definition(name):
    """A loop over windows and positions of every input's rows, as the decomposition defines its parts."""
    model = interp.load(name, dtype="float64")
    prompts = share_prompts(model)
    site = Site("resid_pre", 0)
    rows = model.record(prompts, [site])[site][:, 1:].numpy()
    mean, energy = rows.mean((0, 1)), (rows**2).sum()
    parts = {"mean_share": np.broadcast_to(mean, rows.shape)}
    parts["position_share"] = np.broadcast_to(rows.mean(0, keepdims=True) - mean, rows.shape)
    parts["context_share"] = np.broadcast_to(rows.mean(1, keepdims=True) - mean, rows.shape)
    parts["residual_share"] = rows - sum(parts.values())
    shares = {part: (values**2).sum() / energy for part, values in parts.items()}
    assert planted_shares(model) == pytest.approx(shares, abs=1e-12)


def test_shares_are_recovered_or_not_planted():
    card = groundtruth.scorecard(groundtruth.collection("rasp/shift", "rasp/hist_bos"), methods=("position-context",))
    cells = card.data.isel(method=0)
    assert list(card.data["method"].values) == ["position-context"]
    assert float(cells["error"][0]) < 1e-12
    assert str(cells["reason"][1].item()).startswith("its inputs are not every symbol at every position")
    assert int(cells["models"]) == 1


# Methods


def test_a_method_that_gives_the_truth_scores_one_and_gets_its_row(model, register):
    @engine
    def oracle(model: HookedModel, prompts: PromptPairs, metric: Metric) -> EdgeScores:
        """The truth.

        Source: none.
        """
        (question,) = questions(model, "edges", prompts)
        ends = [name.split() for name in question.candidates]
        score = np.array([[-float(name in question.effective) for name in question.candidates]] * len(prompts))
        senders, receivers = zip(*ends, strict=True)
        return EdgeScores.of(
            prompts.clean, {"score": score}, "batch edge", measured="truth",
            sender=("edge", list(senders)), receiver=("edge", list(receivers)),
        )  # fmt: skip

    register(oracle)
    card = groundtruth.scorecard(model, methods=("oracle",), **QUICK)
    row = card.data.isel(model=0).sel({"method": "oracle"})
    assert [float(row[name]) for name in ("auc", "average_precision", "precision")] == [1, 1, 1]
    assert row["finds"] == "edges"
    assert set(card.data["method"].values) == {"oracle", "random edges", "magnitude edges"}
    assert "oracle" in finding_names()


def finding_names() -> list[str]:
    return list(scoring.method_labels([]))


def test_every_engine_whose_kind_finds_something_has_a_row():
    from interp.engines import all_engines

    expected = {name for name, spec in all_engines().items() if spec.result.finds}
    assert expected == {name for name in finding_names() if not scoring.is_baseline(name)}
    assert {"eap", "acdc", "attnlrp", "activation-patching", "feature-attribution"} <= expected


def test_a_refusal_is_the_reason(model, register):
    @engine(obstacle=lambda model: "it is not to its taste")
    def picky(model: HookedModel, prompts: PromptPairs, metric: Metric) -> EdgeScores:
        """Refuses.

        Source: none.
        """
        raise AssertionError

    register(picky)
    card = groundtruth.scorecard(model, methods=("picky", "eap"), **QUICK)
    row = card.data.isel(model=0).sel({"method": "picky"})
    assert row["reason"].item() == "picky does not support rasp/sort: it is not to its taste"
    assert np.isnan(row["auc"])
    assert card.data["reason"].isel(model=0).sel({"method": "eap"}).item() == ""
    assert int(card.data["models"].sel({"method": "picky"})) == 0


def test_nothing_to_find_is_said():
    model = interp.load("rasp/constant", dtype="float64")
    card = groundtruth.scorecard(model, methods=("eap", "attnlrp"), **QUICK)
    assert card.data["reason"].isel(model=0).sel({"method": "eap"}).item() == "none of the edges has an effect"
    assert card.data["reason"].isel(model=0).sel({"method": "attnlrp"}).item() == "none of the tokens has an effect"
    assert not np.isnan(card.data["static_auc"].isel(model=0).sel({"method": "eap"}).item())


@pytest.mark.parametrize("name", ["rasp/sort", "rasp/reverse", "rasp/dyck1"])
def test_exact_methods_find_the_circuit(name):
    model = interp.load(name, dtype="float64")
    card = groundtruth.scorecard(model, methods=("acdc", "path-patching"), draws=1)
    for method in ("acdc", "path-patching"):
        assert card.data["auc"].isel(model=0).sel({"method": method}).item() >= 0.95


def test_costs_count_the_products(model):
    """Of a forward, one; of gradient × input, the forward and the products of its backward pass."""
    card = groundtruth.scorecard(model, methods=("attnlrp", "direct-logit-attribution"), **QUICK)
    cost = card.data["cost"].isel(model=0)
    assert 1 <= cost.sel({"method": "direct-logit-attribution"}) < 1.1
    assert 1.5 < cost.sel({"method": "attnlrp"}) < 3
    assert cost.sel({"method": "random tokens"}) == 0


def test_wrong_input(model):
    with pytest.raises(OptionError, match="no engine that finds anything 'nonsense'; choose from"):
        groundtruth.scorecard(model, methods=("nonsense",))
    with pytest.raises(OptionError, match="no engine that finds anything 'logit-lens'"):
        groundtruth.scorecard(model, methods=("logit-lens",))


def test_a_model_without_truth_is_refused(tiny):
    with pytest.raises(ModelError, match="nobody knows the circuit of gpt2; it is known of .*rasp/constant"):
        groundtruth.collection("rasp/sort", "gpt2")
    with pytest.raises(EngineError, match="nobody knows its circuit; use a model such as rasp/sort"):
        groundtruth.scorecard(tiny("llama"))


# Runs

METHODS = ("eap", "attnlrp", "activation-patching")
TWO = ("rasp/shift", "rasp/frac_prevs")


def same(one: Scorecard, other: Scorecard) -> None:
    assert one.data.identical(other.data)


def test_a_run_that_is_stopped_goes_on(tmp_path, monkeypatch):
    plain = groundtruth.scorecard(groundtruth.collection(*TWO), methods=METHODS, **QUICK)
    folder, steps = str(tmp_path / "run"), []

    def stop(label, done, total):
        assert (label, total) == ("scorecard", 2 * 9)
        steps.append(done)
        if done == 5:
            raise Cancelled("stopped")

    with reporting(stop), pytest.raises(Cancelled):
        groundtruth.scorecard(groundtruth.collection(*TWO), methods=METHODS, folder=folder, **QUICK)
    assert steps == sorted(steps)
    work, again = scoring.Scoring.work, []
    monkeypatch.setattr(scoring.Scoring, "work", lambda self, *task: again.append(task) or work(self, *task))
    resumed = groundtruth.scorecard(groundtruth.collection(*TWO), methods=METHODS, folder=folder, resume=True, **QUICK)
    assert len(again) == 2 * 9 - 5
    same(resumed, plain)


def test_a_folder_of_other_models_is_refused(tmp_path, monkeypatch):
    folder = str(tmp_path / "run")
    groundtruth.scorecard(groundtruth.collection("rasp/shift"), methods=("eap",), folder=folder, **QUICK)
    monkeypatch.setattr(import_module("interp.groundtruth.scorecard"), "version_of", lambda *_: "0123")
    with pytest.raises(ResultError, match=r"run was made with rasp/shift = \w{16}, not 0123; give another folder"):
        groundtruth.scorecard(
            groundtruth.collection("rasp/shift"), methods=("eap",), folder=folder, resume=True, **QUICK
        )


def test_a_file_of_other_models_is_refused(tmp_path, monkeypatch):
    card = groundtruth.scorecard(groundtruth.collection("rasp/shift"), methods=("eap",), **QUICK)
    path = card.save(tmp_path / "card")
    assert groundtruth.scores(path).data.identical(card.data)
    monkeypatch.setattr(packaged, "version_of", lambda *_: "0123")
    packaged._read.cache_clear()
    with pytest.raises(ResultError, match=r"card.nc was made with rasp/shift = \w{16}, not 0123; make it again with"):
        groundtruth.scores(path)


def test_a_file_of_something_else(tmp_path, model):
    path = interp.circuits.eap(model, program_task(model, n=2)).save(tmp_path / "eap")
    with pytest.raises(ResultError, match="holds EdgeScores, not a scorecard"):
        groundtruth.scores(path)


def test_on_ray_as_here():
    ray = pytest.importorskip("ray")
    plain = groundtruth.scorecard(groundtruth.collection(*TWO), methods=METHODS, **QUICK)
    shared = groundtruth.scorecard(groundtruth.collection(*TWO), methods=METHODS, workers=1, **QUICK)
    assert not ray.is_initialized()
    same(shared, plain)


# What comes with the package


def test_the_packaged_scorecard_is_of_these_models():
    card = groundtruth.scores()
    assert set(card.data["model"].values) <= set(groundtruth.names())
    assert card.data["models"].sel({"method": "acdc"}) > 10
    assert groundtruth.score_of("acdc").startswith("edges: AUC ")
    assert groundtruth.score_of("acdc").endswith("models; random 0.50")
    assert groundtruth.score_of("logit-lens") == ""


def test_a_line_of_its_own_for_every_score(tmp_path):
    card = groundtruth.scores()
    loaded = Result.load(card.save(tmp_path / "card"))
    assert isinstance(loaded, Scorecard)
    overall = card.to_frame("overall")
    assert {"method", "finds", "overall_auc", "overall_auc_low", "overall_auc_high", "models"} <= set(overall)
    assert all(
        math.isfinite(value) for value in overall.overall_auc[(overall.models > 0) & (overall.finds != "shares")]
    )


def test_a_model_with_fewer_scores_counts_as_much_as_another():
    """Mean and interval of model means, where draws agree: no draw that is missing takes weight from its model."""
    values = np.array([[[0.0, np.nan, np.nan]], [[1.0, 1.0, 1.0]]] * 20)
    (mean,), (interval,) = import_module("interp.groundtruth.scorecard")._overall(values)
    assert mean == 0.5
    expected = [float(end[0]) for end in bootstrap_mean(np.tile([0.0, 1.0], 20)[:, None])[1:]]
    assert_allclose(interval, expected, atol=0.03)
