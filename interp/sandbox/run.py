"""The folder of a training: its checkpoints by step, its log, and what was measured at its end."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from safetensors.torch import load_file
from torch import nn

from interp.core.engine import EngineSpec
from interp.core.errors import InterpError, ModelError, ResultError
from interp.core.options import parse_options
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Provenance, Result
from interp.core.variables import STEP
from interp.kinds.training import LearningCurves
from interp.models.hooked import HookedModel
from interp.models.load import load
from interp.models.sources import run_folder
from interp.models.step_files import at_step, steps_of
from interp.models.training import TrainingFolder
from interp.sandbox.task import Task, Training

LOG, STEPS = "log.json", "steps"
_REMEDY = "train again with `interp train toy TASK`"
Asked = str | Sequence[str] | Prompts | PromptPairs | Callable[[HookedModel], Prompts | PromptPairs | None] | None


class Run:
    """A training of a task, ended or not.

    Its folder holds `config.json`, a tokenizer, `steps/STEP.safetensors`, and at the end `log.json` and `report.json`.
    """

    def __init__(self, name: str) -> None:
        """The run of that name: `toy/addition`, `run/…` for one in the cache, or a folder.

        Raises: ModelError if there is none, or it is of another version.
        """
        self.name, self.path = name, Path(run_folder(name))
        self._folder = TrainingFolder(self.path)
        record = self._folder.record("report.json", dict[str, Any])
        if record is None or "task" not in record.get("settings", {}):
            raise ModelError(f"{self.path} contains no training of a task; {_REMEDY}")
        self.settings: dict[str, Any] = record["settings"]
        self.report = self._folder.report

    @cached_property
    def task(self) -> Task:
        """What it is trained on. Raises: ModelError if this version does not know the task."""
        from interp.sandbox.tasks import find

        return find(self.settings["task"])

    @cached_property
    def problem(self) -> Any:
        """The task's problem with the run's options."""
        return self._part(type(self.task.problem), "problem")

    @cached_property
    def training(self) -> Training:
        """How it was trained."""
        return self._part(Training, "training")

    def _part(self, kind: type, name: str) -> Any:
        try:
            return parse_options(self.name, kind, self.settings[name])
        except (InterpError, KeyError) as error:
            raise ModelError(f"{self.path} is of another version ({error}); {_REMEDY}") from error

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps whose weights are there."""
        return steps_of(self.path)

    def plain(self, step: int) -> nn.Module:
        """The model after that step, as it is trained. Raises: ModelError if there is no such step."""
        path = at_step(self.name, self.path, str(step))
        model = self._part(type(self.task.model), "model").build(self.problem, torch.Generator())
        with self._folder.reading(path, _REMEDY):
            missing = model.load_state_dict(load_file(path), strict=False)
            tied = getattr(model, "_tied_weights_keys", None) or {}
            if missing.unexpected_keys or set(missing.missing_keys) - set(tied):
                raise ModelError(f"{path} holds the weights of another model; {_REMEDY}")
        return model.eval().requires_grad_(False)

    def hooked(self, step: int, **settings: Any) -> HookedModel:
        """The model after that step, as engines take it. Raises: ModelError as `interp.load` does."""
        return load(f"{self.name}@{step}", **settings)

    def curves(self) -> LearningCurves:
        """The log so far. Raises: ModelError if nothing has been logged or the log is damaged."""
        path = self.path / LOG
        with self._folder.reading(path, _REMEDY):
            if path.exists():
                rows = json.loads(path.read_text())
            else:
                there = self._folder.restore()
                rows = there[1]["log"] if there else []
            if not rows:
                raise ModelError(f"{self.path} has no log yet; {_REMEDY}")
            return self._curves(rows)

    def _curves(self, rows: list[dict[str, Any]]) -> LearningCurves:
        first, baselines = rows[0], (self.report or {}).get("baselines", {})
        values: dict[str, Any] = {
            name: (STEP, [row[name] for row in rows])
            for name in ("loss", "training_loss", "accuracy", "gradient_norm", "sharpness")
            if name in first
        }
        classes = list(first["class_loss"])
        for name in ("class_loss", "class_accuracy"):
            if name in first:
                table = [[row[name][kind] for kind in classes] for row in rows]
                values[name] = (f"{STEP} class", np.array(table).reshape(len(rows), len(classes)))
        if "attention_entropy" in first:
            values["attention_entropy"] = (f"{STEP} layer head", [row["attention_entropy"] for row in rows])
        values["predictor_loss"] = ("method", np.array(list(baselines.values()), dtype=float))
        labels: dict[str, Any] = {STEP: [row["step"] for row in rows], "class": classes, "method": list(baselines)}
        curves = LearningCurves.of(
            Prompts((), torch.empty(0, 0).long(), torch.empty(0, 0).bool(), ()), values, unit=self.problem.unit,
            measured=f"learning curves of {self.name}, {self.training.test} test inputs", **labels,
        )  # fmt: skip
        return curves.with_provenance(Provenance(engine="training", options=self.settings, model=self.name))


def over_steps(
    engine: EngineSpec,
    run: Run | str,
    prompts: Asked = None,
    *,
    steps: Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Result:
    """The results of an engine at every step of a run that is kept, as one with an axis `step` in front.

    `prompts` is what the engine takes, or makes that of a model; `settings` are those of `interp.load`. One model is in
    memory at a time.
    Raises: ResultError if the results of two steps have different axes or labels; whatever the engine raises.
    """
    run = Run(run) if isinstance(run, str) else run
    chosen = run.steps if steps is None else tuple(steps)
    results: list[Result] = []
    for step in track(chosen, len(chosen), f"{engine.name} over steps"):
        model = run.hooked(step, **(settings or {}))
        asked = prompts(model) if callable(prompts) else prompts
        results.append(engine(model, **({} if asked is None else {"prompts": asked}), **arguments))
        _require_alike(engine.name, chosen[0], results[0], step, results[-1])
    data = xr.concat(
        [each.data for each in results],
        xr.IndexVariable(STEP, list(chosen)),
        coords="minimal",
        compat="override",
        combine_attrs="override",
    )
    first = results[0].provenance
    data.attrs = results[0].data.attrs
    kind = type(results[0])
    return kind(data).with_provenance(
        Provenance(
            **{**vars(first), "model": f"{run.name}@all", "seconds": sum(each.provenance.seconds for each in results)}
        )
    )


def _require_alike(engine: str, first: int, one: Result, step: int, other: Result) -> None:
    for name in {*one.data.coords, *one.data.data_vars} | {*other.data.coords, *other.data.data_vars}:
        there = name in one.data and name in other.data
        differs = (
            not there or one.data[name].dims != other.data[name].dims or one.data[name].shape != other.data[name].shape
        )
        if differs or (name in one.data.coords and not one.data[name].identical(other.data[name])):
            raise ResultError(
                f"{engine} has another {name} at step {step} than at step {first}, so there is no one result of all "
                "steps; run it at single steps (RUN@STEP)"
            )
