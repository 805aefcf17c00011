"""A step of a training is a model by name; every step together is one result."""

import numpy as np
import pytest
import torch

import interp
from interp import engines, views
from interp.cli import main
from interp.core.errors import ModelError, ResultError
from interp.core.prompts import Prompts
from interp.core.result import Result
from interp.sandbox import Run, over_steps

PROMPT = "t1 t2 t3 t1"


def test_a_step_is_a_model_and_the_last_one_is_meant_without(run_folder):
    run = Run(str(run_folder))
    assert run.steps == (0, 1, 2, 6)
    for step in run.steps:
        model = interp.load(f"{run_folder}@{step}")
        assert model.weight_hash == run.hooked(step).weight_hash
        tokens = model.encode(PROMPT)
        assert tokens == [1, 2, 3, 1]
        plain = run.plain(step)(torch.tensor([tokens])).logits
        np.testing.assert_allclose(model.logits(PROMPT).numpy(), plain.numpy(), atol=1e-5)
    assert interp.load(str(run_folder)).weight_hash == model.weight_hash


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("4", "has no step 4; the nearest: 2 and 6"),
        ("99", "has no step 99; the nearest: 6"),
        ("x", "@x names no step; give a number, such as .*@6"),
        ("all", "@all names no step"),
    ],
)
def test_an_unknown_step_names_the_nearest(run_folder, step, message):
    with pytest.raises(ModelError, match=message) as error:
        interp.load(f"{run_folder}@{step}")
    assert "\n" not in str(error.value)


def test_every_step_is_the_engine_at_each(run_folder, tmp_path):
    run, spec = Run(str(run_folder)), engines.find("attention")
    together = over_steps(spec, run, PROMPT)
    assert together.data["step"].values.tolist() == list(run.steps)
    for step in run.steps:
        alone = spec(run.hooked(step), PROMPT)
        assert together.data.sel(step=step, drop=True).equals(alone.data)
    again = Result.load(together.save(tmp_path / "steps"))
    assert again.data.equals(together.data)
    assert set(again.to_frame()["step"]) == set(run.steps)
    figure = views.figure(again)
    assert [frame.name for frame in figure.frames] == ["0", "1", "2", "6"]
    last = views.figure(spec(run.hooked(6), PROMPT))
    assert figure.to_plotly_json()["data"][0]["type"] == last.to_plotly_json()["data"][0]["type"]


def test_results_that_differ_between_steps_are_refused(run_folder):
    spec = engines.find("attention")
    prompts = iter((PROMPT, "t1 t2", PROMPT, PROMPT))
    with pytest.raises(ResultError, match="attention has another .* at step 1 than at step 0"):
        over_steps(spec, str(run_folder), lambda model: Prompts.of(model, next(prompts)))


def test_the_command_line_takes_one_step_or_all(run_folder, capsys):
    ask = ["run", "attention", "--prompt", PROMPT, "--format", "csv", "--model"]
    assert main([*ask, f"{run_folder}@2"]) == 0
    one = capsys.readouterr().out.splitlines()
    assert main([*ask, f"{run_folder}@all"]) == 0
    every = capsys.readouterr().out.splitlines()
    assert len(every) - 1 == 4 * (len(one) - 1)
    assert every[0].split(",")[0] == "step"
    assert main([*ask, f"{run_folder}@3"]) == 2
    assert "has no step 3; the nearest: 2 and 6" in capsys.readouterr().err
    assert main([*ask, f"{run_folder}@all", "--mean"]) == 2
    assert "leave one of them out" in capsys.readouterr().err
    assert main([*ask, "nowhere@all"]) == 2
    assert "there is no training 'nowhere'" in capsys.readouterr().err


def test_curves_are_printed_and_drawn(run_folder, capsys):
    assert main(["sandbox", "curves", str(run_folder)]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("step,loss,training_loss")
    curves = Run(str(run_folder)).curves()
    for show in views.choices(type(curves))["show"]:
        assert views.figure(curves, show=show).data
    assert main(["sandbox", "list"]) == 0
    out = capsys.readouterr().out
    assert "task,induction," in out


def test_a_task_is_trained_from_the_command_line(tmp_path, capsys):
    short = "--steps 3 --batch 2 --test 4 --width 8 --head-size 4 --sharpness 0 --positions-read 8".split()
    assert main(["train", "toy", "induction", "--out", str(tmp_path / "run"), *short]) == 0
    out = capsys.readouterr()
    assert out.out == f"{tmp_path / 'run'}\n"
    assert "accuracy" in out.err
    assert main(["train", "toy", "nonsense"]) == 2
    assert "there is no task 'nonsense' of the sandbox" in capsys.readouterr().err
