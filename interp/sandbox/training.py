"""Training a small model on a task: what is kept of it by step, and what is logged."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from interp.core.errors import OptionError
from interp.core.folders import RunFolder
from interp.core.options import parse_options
from interp.models.training import Row, Step, TrainingFolder, fit
from interp.models.word_tokenizer import settings_of, tokenizer
from interp.sandbox.measures import scores, sharpness, test_scores, weights_of
from interp.sandbox.run import LOG, STEPS
from interp.sandbox.task import Batch, ModelRecipe, Problem, Task, Training

_FEW = 64  # inputs for the sharpness
_RESUMABLE = 100  # steps between what a killed training goes on from


def adapted(task: Task, options: Mapping[str, Any]) -> tuple[Problem, Any, Training]:
    """The task's problem, model and training with some of their fields replaced.

    Raises: OptionError for a name that none of them has, or a value that cannot be.
    """
    parts = (task.problem, task.model, task.training)
    own = [{field.name for field in fields(part)} for part in parts]  # pyright: ignore[reportArgumentType]
    if unknown := sorted(options.keys() - set().union(*own)):
        raise OptionError(
            f"{task.name} has no option {unknown[0]!r}; it has {', '.join(map(str, sorted(set().union(*own))))}"
        )

    def adapt(part: Any, names: set[str]) -> Any:
        given = {name: value for name, value in options.items() if name in names}
        return parse_options(f"train toy {task.name}", type(part), asdict(part) | given)

    problem, model, training = (adapt(part, names) for part, names in zip(parts, own, strict=True))
    return problem, model, training


def train(task: Task, out: Path, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Train on a task into a folder; returns the report.

    A folder in which the same training was stopped is resumed; everything in it is then the same as without the stop.
    Raises: OptionError for settings that cannot be; ModelError if the folder holds another training, or cannot be
    written.
    """
    problem, recipe, training = adapted(task, options or {})
    settings = {"task": task.name, "problem": asdict(problem), "model": asdict(recipe), "training": asdict(training)}  # pyright: ignore[reportArgumentType]
    folder = TrainingFolder(out)
    lesson = Lesson(problem, recipe, training, out)
    with folder.locked():
        folder.begin(settings)
        if (report := folder.report) is not None:
            return report
        for name, content in _files(problem, lesson.model).items():
            folder.write(name, content)
        trained = fit(
            folder, lesson.model, lesson.loss, steps=training.steps, rate=lesson.rate, seed=training.seed,
            every=_RESUMABLE, optimiser=lesson.optimiser, clip=training.clip, watch=lesson.watch,
            label=f"training on {task.name}",
        )  # fmt: skip
        report = {"settings": settings, "seconds": trained.seconds} | lesson.summary()
        folder.finish({LOG: json.dumps(trained.log).encode()}, report)
    return report


class Lesson:
    """One model, what it is asked, and what is measured of it."""

    def __init__(self, problem: Problem, recipe: ModelRecipe, training: Training, out: Path) -> None:
        self.problem, self.training = problem, training
        self.model = recipe.build(problem, torch.Generator().manual_seed(training.seed)).train()
        self.test = test_batch(problem, training)
        self._few = test_batch(problem, replace(training, test=min(training.test, _FEW)))
        self._steps = RunFolder(out / STEPS)
        self._checkpoints = kept_steps(training)

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """The loss of a batch."""
        batch = self.problem.batch(self.training.batch, generator)
        return batch.mean(self.problem.losses(self.problem.outputs(self.model, batch), batch))

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        training = self.training
        rising = min(1.0, (step + 1) / max(1, training.warm_up))
        falling = min(1.0, (1 - step / training.steps) / training.decay) if training.decay else 1.0
        return training.lr * rising * falling

    def optimiser(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """As the options say."""
        training = self.training
        if training.optimiser == "sgd":
            return torch.optim.SGD(parameters, weight_decay=training.weight_decay)
        return torch.optim.AdamW(parameters, betas=(0.9, training.beta), weight_decay=training.weight_decay)

    def watch(self, step: Step) -> Row | None:
        """Keep a checkpoint and measure, each where it is time."""
        is_kept = step.done in self._checkpoints
        if is_kept:
            self._steps.write(f"{step.done}.safetensors", save(weights_of(self.model), {"format": "pt"}))
        if not is_kept and step.done % self.training.logged:
            return None
        row = {"step": step.done, "training_loss": step.loss, "gradient_norm": step.gradient_norm}
        row |= test_scores(self.problem, self.model, self.test)
        if self.training.sharpness:
            measure = partial(sharpness, self.problem, self.model, self._few, self.training.sharpness)
            row["sharpness"] = measure() if is_kept else float("nan")
        return row

    def summary(self) -> dict[str, Any]:
        """The scores at the end, and those of predictors that learn nothing, on the same inputs."""
        baselines = self.problem.baselines(self.test)
        return {
            "scores": {
                k: v for k, v in test_scores(self.problem, self.model, self.test).items() if k != "attention_entropy"
            },
            "baselines": {name: scores(self.problem, each, self.test)["loss"] for name, each in baselines.items()},
        }


def test_batch(problem: Problem, training: Training) -> Batch:
    """The inputs that a training is judged by."""
    return problem.test(training.test, torch.Generator().manual_seed(training.seed + 1))


def kept_steps(training: Training) -> frozenset[int]:
    """The steps whose weights are kept: none done, equal ratios from 1 to the last, and every so many."""
    last = training.steps
    spaced = {round(last ** (at / (training.spaced - 1))) for at in range(training.spaced)}
    return frozenset({0, last} | spaced | set(range(training.every, last, training.every)))


def _files(problem: Problem, model: Any) -> dict[str, bytes]:
    """What stands beside the weights of every step."""
    config = json.dumps(model.config.to_dict(), indent=1, sort_keys=True, default=str).encode()
    if not problem.vocabulary:
        return {"config.json": config}
    special = (problem.start,) if problem.start else ()
    written = {
        "tokenizer.json": tokenizer(problem.vocabulary, problem.start, special),
        "tokenizer_config.json": settings_of(problem.length, problem.start),
    }
    return {"config.json": config} | {name: json.dumps(each, indent=1).encode() for name, each in written.items()}
