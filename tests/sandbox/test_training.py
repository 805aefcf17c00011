"""Training: the same bits after a kill, a log that is what the checkpoints give, and one line for what cannot be."""

import json
from dataclasses import asdict, fields

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sandbox_runs import SHORT, SMALL
from torch.nn import functional as F

import interp
from interp.core.errors import ModelError, OptionError
from interp.sandbox import TASKS, Run, Training, find, train, training
from interp.sandbox.training import kept_steps


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "report.json"
    }


@pytest.mark.parametrize("killed", [1, 3, 5])
@pytest.mark.parametrize("more", [{}, {"optimiser": "sgd"}, {"weight_decay": 0.1, "tied": True}])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, killed, more):
    monkeypatch.setattr(training, "_RESUMABLE", 2)
    options = SHORT | SMALL | {"tokens": 6, "positions_read": 8} | more
    task = find("induction")
    train(task, tmp_path / "whole", options)
    plain = training.Lesson.watch

    def watch(self, step):
        if step.done == killed:
            raise KeyboardInterrupt
        return plain(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(training.Lesson, "watch", watch)
        with pytest.raises(KeyboardInterrupt):
            train(task, tmp_path / "killed", options)
    train(task, tmp_path / "killed", options)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    first, second = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "killed"))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_a_checkpoint_gives_what_was_logged(run_folder):
    """Loss by the definition, from the checkpoint's model as engines have it."""
    run = Run(str(run_folder))
    curves = run.curves().data
    batch = training.test_batch(run.problem, run.training)
    assert set(run.steps) <= set(curves.step.values.tolist())
    for step in run.steps:
        logits = interp.load(f"{run_folder}@{step}", dtype="float64").bridge(batch.inputs)
        losses = -logits.log_softmax(-1).gather(2, batch.targets[..., None])[..., 0]
        row = curves.sel(step=step)
        assert float(row.loss) == pytest.approx(float(losses.mean()), abs=1e-6)
        for name, within in batch.classes.items():
            assert float(row.class_loss.sel({"class": name})) == pytest.approx(float(losses[within].mean()), abs=1e-6)
        right = (logits.argmax(-1) == batch.targets).double().mean()
        assert float(row.accuracy) == pytest.approx(float(right))


def test_the_first_step_is_adams(run_folder):
    """Untrained weights, the first batch, and one step of AdamW give what is kept as step 1."""
    run = Run(str(run_folder))
    model = run.plain(0).train().requires_grad_(True)
    batch = run.problem.batch(run.training.batch, torch.Generator().manual_seed(run.training.seed))
    F.cross_entropy(model(batch.inputs).logits.flatten(0, 1), batch.targets.flatten()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), run.training.clip)
    lr = run.training.lr / run.training.warm_up
    torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=run.training.weight_decay).step()
    there = load_file(run_folder / "steps" / "1.safetensors")
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), there[name], atol=1e-7, rtol=1e-5)


def test_sharpness_is_the_hessians_largest_eigenvalue():
    """Of a quadratic loss the Hessian is known."""
    from interp.sandbox.measures import sharpness
    from interp.sandbox.task import Batch

    class Quadratic:
        def outputs(self, model, batch):
            return model.weight[0]

        def losses(self, outputs, batch):
            return (torch.tensor([3.0, -1.0, 0.5]) * outputs.square() / 2).sum().view(1, 1)

    batch = Batch(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1), {})
    assert sharpness(Quadratic(), torch.nn.Linear(3, 1, bias=False), batch, 60) == pytest.approx(3)  # pyright: ignore


def test_entropy_is_that_of_the_patterns(run_folder):
    run = Run(str(run_folder))
    batch = training.test_batch(run.problem, run.training)
    model = interp.load(f"{run_folder}@{run.steps[-1]}", dtype="float64")
    with torch.no_grad():
        values = run.curves().data.attention_entropy.sel(step=run.steps[-1]).values
    for layer in range(2):
        kept = []
        hook = model.bridge.blocks[layer].attn.hook_pattern.register_forward_hook(
            lambda *a, kept=kept: kept.append(a[-1])
        )
        model.bridge(batch.inputs)
        hook.remove()
        pattern = kept[0].numpy()
        expected = -np.where(pattern > 0, pattern * np.log(np.where(pattern > 0, pattern, 1)), 0).sum(-1).mean((0, 2))
        np.testing.assert_allclose(values[layer], expected, atol=1e-5)


def test_kept_steps_are_those_of_the_schedule():
    assert kept_steps(Training(steps=1000, spaced=4, every=400)) == {0, 1, 10, 100, 400, 800, 1000}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_no_two_options_of_a_task_have_one_name(task):
    names = [field.name for part in (task.problem, task.model, task.training) for field in fields(part)]
    assert len(names) == len(set(names))
    assert asdict(task.problem)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width = 0: .*from 1 to 2,048"),
        ({"positions": "rotary", "head_size": 3}, "head_size = 3 is odd; give an even one"),
        ({"nonsense": 1}, "induction has no option 'nonsense'; it has attention"),
    ],
)
def test_impossible_sizes_are_one_line(tmp_path, options, message):
    with pytest.raises(OptionError, match=message) as error:
        train(find("induction"), tmp_path / "run", options)
    assert "\n" not in str(error.value)


def test_other_settings_and_other_versions_are_refused(run_folder, tmp_path):
    with pytest.raises(ModelError, match="was made with steps = 6, not 7; give another folder"):
        train(
            find("induction"), run_folder, SHORT | SMALL | {"tokens": 6, "positions_read": 8, "mlp": "gelu", "steps": 7}
        )
    with pytest.raises(OptionError, match="there is no task 'nonsense' of the sandbox; choose one of induction"):
        find("nonsense")
    (tmp_path / "steps").mkdir()
    record = json.loads((run_folder / "report.json").read_text())
    record["settings"]["problem"]["from_the_future"] = 1
    (tmp_path / "report.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="is of another version .*from_the_future"):
        _ = Run(str(tmp_path)).problem


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("interp.core.folders.settle", full)
    with pytest.raises(ModelError, match="No space left on device; free some disk space"):
        train(find("induction"), tmp_path / "run", SHORT | SMALL)
