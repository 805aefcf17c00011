"""The trainings that come with the package are those of the tasks as they are, and do what they are there for."""

import json
from dataclasses import asdict

import pytest
import torch

import interp
from interp.models.sources import RUNS_FOLDER
from interp.sandbox import TASKS, Run, training
from interp.sandbox.training import kept_steps

EVERY = pytest.mark.parametrize("name", [task.name for task in TASKS])


@pytest.fixture
def run(name):
    return Run(f"toy/{name}")


@EVERY
def test_it_is_of_the_task_as_it_is(run):
    task = run.task
    parts = {"problem": task.problem, "model": task.model, "training": task.training}
    for part, value in parts.items():
        assert run.settings[part] == json.loads(json.dumps(asdict(value)))
    assert set(run.steps) == kept_steps(task.training)
    size = sum(path.stat().st_size for path in (RUNS_FOLDER / task.name).rglob("*") if path.is_file())
    assert size < 1_100_000
    assert run.report["seconds"] < 600


@EVERY
def test_its_last_step_scores_as_reported(run):
    model = interp.load(run.name)
    assert model.weight_hash == interp.load(f"{run.name}@{run.steps[-1]}").weight_hash
    batch = training.test_batch(run.problem, run.training)
    losses = run.problem.losses(model.bridge(batch.inputs), batch)
    assert float(batch.mean(losses)) == pytest.approx(run.report["scores"]["loss"], abs=1e-5)
    assert run.report["scores"]["loss"] < run.report["baselines"]["chance"]


@pytest.mark.parametrize("name", ["induction", "kv-shift"])
def test_induction_comes_all_at_once(run):
    """Within a tenth of the steps of the training, what repeats goes from hardly ever right to nearly always."""
    share = run.curves().data.class_accuracy.sel({"class": "second"})
    late, early = (int(share.step[share > bound].min()) for bound in (0.9, 0.3))
    assert late - early <= run.training.steps / 5
    assert float(share[-1]) > 0.99


@pytest.mark.parametrize("name", ["induction"])
def test_a_head_of_the_second_layer_looks_behind_the_earlier_token(run):
    batch = training.test_batch(run.problem, run.training)
    inputs = batch.inputs[:64]
    patterns = []
    model = interp.load(run.name)
    hook = model.bridge.blocks[1].attn.hook_pattern.register_forward_hook(lambda *a: patterns.append(a[-1]))
    with torch.no_grad():
        model.bridge(inputs)
    hook.remove()
    behind = (inputs[:, :, None] == inputs[:, None]).tril(-1)
    behind = torch.nn.functional.pad(behind, (1, 0))[..., :-1]  # the key that stands behind the same token
    asked = behind.any(-1)
    weight = (patterns[0] * behind[:, None]).sum(-1)
    assert float(weight.amax(1)[asked].mean()) > 0.6


@pytest.mark.parametrize("name", ["addition"])
def test_sums_are_right_but_where_a_carry_passes_nines(run):
    scores = run.report["scores"]["class_accuracy"]
    assert scores["digit 0"] > 0.99
    assert scores["base add"] > 0.99
    assert scores["use carry"] > 0.99
    assert scores["use nines"] < 0.6
