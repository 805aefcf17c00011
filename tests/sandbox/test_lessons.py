"""Training of special models: the same bits however often it is cut off; folders that say what is wrong with them."""

import json
from dataclasses import asdict

import pytest
import torch
from torch.testing import assert_close

from interp.core.errors import Cancelled, ModelError
from interp.core.progress import reporting
from interp.sandbox import special
from interp.sandbox.clustering.lesson import Clustering, ClusteringLesson
from interp.sandbox.clustering.model import ModularAddition
from interp.sandbox.connectivity.graphs import Graphs
from interp.sandbox.connectivity.lesson import Connectivity, ConnectivityLesson
from interp.sandbox.lessons import Training
from interp.sandbox.regression.lessons import GradientDescent, GradientDescentLesson
from interp.sandbox.regression.prompts import Setting

SHORT = Training(steps=12, batch=8, rate=1e-2, checkpoints=5)
LESSONS = {
    "clustering": lambda: ClusteringLesson(
        Clustering(task=ModularAddition(sequences=64), training=SHORT, mlp_rate=0.5)
    ),
    "connectivity": lambda: ConnectivityLesson(Connectivity(graphs=Graphs(nodes=5), training=SHORT)),
    "gradient-descent": lambda: GradientDescentLesson(
        GradientDescent(setting=Setting(dimension=3, examples=4), deviation=0.1, training=SHORT)
    ),
}


def files(run):
    return {path.name: path.read_bytes() for path in run.path.iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize("name", LESSONS)
def test_a_training_that_was_cut_off_ends_in_the_same_bits(name, tmp_path):
    whole = special.train(LESSONS[name](), tmp_path / "whole")
    for cut in (3, 8):

        def stop(label, done, total, cut=cut):
            if done >= cut and label == name:
                raise Cancelled("enough")

        with reporting(stop), pytest.raises(Cancelled):
            special.train(LESSONS[name](), tmp_path / "parts")
    parts = special.train(LESSONS[name](), tmp_path / "parts")
    first, second = files(whole), files(parts)
    log, other = json.loads(first.pop("log.json")), json.loads(second.pop("log.json"))
    assert first == second
    assert log["measures"] == other["measures"]
    assert whole.steps == LESSONS[name]().training.schedule


def test_the_loss_and_the_step_by_hand(tmp_path):
    """One step of plain gradient descent moves the weights by rate · gradient of the logged loss."""
    training = Training(steps=1, batch=8, rate=0.1, optimiser="sgd", checkpoints=2)
    lesson = GradientDescentLesson(
        GradientDescent(setting=Setting(dimension=3, examples=4), deviation=0.3, training=training)
    )
    run, model = special.train(lesson, tmp_path), lesson.model()
    loss = lesson.loss(model, torch.Generator().manual_seed(1))
    loss.backward()
    assert run.log()["losses"][0][:2] == [1, loss.item()]
    for name, weight in model.named_parameters():
        assert_close(run.state(1)[name], weight.detach() - 0.1 * weight.grad)


def test_loading_by_name(tmp_path):
    special.train(LESSONS["connectivity"](), tmp_path)
    loaded = special.load(f"{tmp_path}@12")
    assert loaded.step == 12
    assert asdict(loaded.lesson.options) == asdict(LESSONS["connectivity"]().options)
    for wrong, words in (("@7", "no checkpoint of step 7; choose one of 0, 1"), ("@x", "'x' is no step")):
        with pytest.raises(ModelError, match=words):
            special.load(f"{tmp_path}{wrong}")
    with pytest.raises(ModelError, match="there is no run"):
        special.load("nowhere")


def test_another_run_or_version_is_refused(tmp_path):
    special.train(LESSONS["connectivity"](), tmp_path)
    with pytest.raises(ModelError, match="was made with lesson"):
        special.train(LESSONS["clustering"](), tmp_path)
    (tmp_path / "step-000012.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="is damaged"):
        special.load(str(tmp_path))
    (tmp_path / "run.json").write_text('{"form": 0}')
    with pytest.raises(ModelError, match="of version 0, not 1"):
        special.load(str(tmp_path))


@pytest.mark.parametrize("name", special.packaged_runs())
def test_packaged_runs_compute_what_was_logged(name):
    """The measures of the last checkpoint and of one before, computed again from its weights."""
    run = special.run_of(name)
    lesson = special.lesson_of(run)
    for step in (run.steps[-1], run.steps[len(run.steps) // 2]):
        with torch.no_grad():
            measured = lesson.measure(run.load(lesson, step))
        for measure, value in run.log()["measures"][str(step)].items():
            assert measured[measure] == pytest.approx(value, rel=1e-4, abs=1e-7), measure
