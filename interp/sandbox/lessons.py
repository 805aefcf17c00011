"""Special models in training: what is learned is a `Lesson`; its run is a folder that resumes to the bit."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from safetensors import torch as safetensors
from torch import Tensor, nn

from interp.core.errors import ModelError
from interp.core.folders import RunFolder
from interp.core.options import Count, Rate, Seed
from interp.core.progress import track

_RUN, _LOG, _RESUME = "run.json", "log.json", "resume.safetensors"
_FORM = 1  # of the folder


@dataclass(frozen=True)
class Training:
    """How a special model is trained; every step's batch follows from the seed and the step alone."""

    steps: Count = Field(default=5000, description="training steps")
    batch: Annotated[int, Field(ge=1, le=2**16)] = Field(default=256, description="examples per step")
    rate: Rate = Field(default=1e-3, description="learning rate")
    optimiser: Literal["adam", "sgd"] = Field(default="adam", description="optimiser; sgd without momentum")
    clip: Annotated[float, Field(ge=0, le=1e6)] = Field(default=0.0, description="largest norm of the gradient; 0: any")
    checkpoints: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=24, description="checkpoints, the first before training"
    )
    seed: Seed = Field(default=0, description="seed of the initial weights and the batches")

    @property
    def schedule(self) -> list[int]:
        """The steps at which a checkpoint is made: about evenly spaced in log(step)."""
        spaced = np.geomspace(1, self.steps, self.checkpoints - 1).round().astype(int)
        return sorted({0, *spaced.tolist(), self.steps})


class Lesson(ABC):
    """What a special model learns: its options, its model before training, and the loss of a batch."""

    name: ClassVar[str]
    form: ClassVar[type]
    reads: ClassVar[str] = "vectors"

    def __init__(self, options: Any = None) -> None:
        self.options = options or self.form()

    @property
    def training(self) -> Training:
        """How it is trained."""
        return self.options.training

    @abstractmethod
    def model(self) -> nn.Module:
        """The model before training."""

    @abstractmethod
    def loss(self, model: Any, generator: torch.Generator) -> Tensor:
        """The loss of one batch."""

    @abstractmethod
    def measure(self, model: Any) -> Mapping[str, float]:
        """What is logged of every checkpoint; its first number tells how well the model has learned."""

    def groups(self, model: Any) -> list[dict[str, Any]]:
        """The weights that are trained, by learning rate where these differ."""
        return [{"params": list(model.parameters())}]

    def settle(self, model: Any) -> None:  # noqa: B027 - most lessons let the weights be
        """Bring the weights back to where they may be, after every step."""


class Run(RunFolder):
    """The folder of a special model's training: its options, its log, and its checkpoints by step."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, ModelError)

    @property
    def steps(self) -> list[int]:
        """The steps of its checkpoints.

        Raises: ModelError where there is none.
        """
        steps = sorted(int(file.stem.removeprefix("step-")) for file in self.path.glob("step-*.safetensors"))
        if not steps:
            raise self.missing("checkpoints", "interp.sandbox.special.train")
        return steps

    def log(self) -> dict[str, Any]:
        """`losses` (step, mean loss and norm of the gradient since the one before) and `measures` by step."""
        return self.record(_LOG, dict) or {"losses": [], "measures": {}}

    def state(self, step: int) -> dict[str, Tensor]:
        """The weights at a step.

        Raises: ModelError for a step without a checkpoint, or a damaged one.
        """
        if step not in self.steps:
            raise ModelError(f"{self.path} has no checkpoint of step {step}; choose one of {_listed(self.steps)}")
        path = self._file(step)
        with self.reading(path):
            return safetensors.load_file(path)

    def load(self, lesson: Lesson, step: int | None = None) -> Any:
        """The model at a step, by default the last."""
        model, step = lesson.model(), self.steps[-1] if step is None else step
        with self.reading(self._file(step)):
            model.load_state_dict(self.state(step))
        return model.eval()

    def lesson_options(self) -> dict[str, Any]:
        """What the run says of its lesson.

        Raises: ModelError if there is none, or it is of another version.
        """
        record = self.record(_RUN, dict)
        if record is None:
            raise self.missing("run", "interp.sandbox.special.train")
        if record.get("form") != _FORM:
            raise ModelError(f"{self.path} is of version {record.get('form')}, not {_FORM}; train it again")
        return record

    def _file(self, step: int) -> Path:
        return self.path / f"step-{step:06d}.safetensors"

    def train(self, lesson: Lesson) -> None:
        """Train, or go on from the last checkpoint: the same bits either way.

        Raises: ModelError if the folder holds another run, or cannot be written.
        """
        options = asdict(lesson.options)
        with self.locked():
            if (there := self.record(_RUN, dict)) is not None:
                self.require_same(there, {"form": _FORM, "lesson": lesson.name, "options": options})
            else:
                self.write_record(_RUN, {"form": _FORM, "lesson": lesson.name, "options": options})
            _Trainer(self, lesson).run()

    def keep(self, step: int, model: nn.Module, log: Mapping[str, Any], resume: Mapping[str, Tensor]) -> None:
        """Write a checkpoint, and last what resumes it: it vouches for the rest."""
        with self.making(_RESUME) as scratch:
            (scratch / _RESUME).write_bytes(safetensors.save(dict(resume)))
            (scratch / _LOG).write_text(json.dumps(log, indent=1), encoding="utf-8")
            (scratch / self._file(step).name).write_bytes(safetensors.save(_contiguous(model.state_dict())))

    def resume(self) -> dict[str, Tensor]:
        """What training goes on from; nothing before the first checkpoint."""
        path = self.path / _RESUME
        if not path.exists():
            return {}
        with self.reading(path):
            return safetensors.load_file(path)


class _Trainer:
    """The steps of a run that are left."""

    def __init__(self, folder: Run, lesson: Lesson) -> None:
        self.folder, self.lesson = folder, lesson
        training, self.model = lesson.training, lesson.model()
        self.optimiser: torch.optim.Optimizer = (
            torch.optim.Adam(lesson.groups(self.model), lr=training.rate, foreach=True)
            if training.optimiser == "adam"
            else torch.optim.SGD(lesson.groups(self.model), lr=training.rate)
        )
        self.step, self.log = 0, folder.log()
        if state := folder.resume():
            self._restore(state)

    def run(self) -> None:
        training = self.lesson.training
        if self.step == 0:
            self._checkpoint([])
        since: list[tuple[float, float]] = []
        for step in track(range(self.step + 1, training.steps + 1), training.steps, self.lesson.name, first=self.step):
            since.append(self._advance(step))
            if step in training.schedule:
                self._checkpoint(since)
                since = []

    def _advance(self, step: int) -> tuple[float, float]:
        generator = torch.Generator().manual_seed((self.lesson.training.seed << 32) + step)
        loss = self.lesson.loss(self.model, generator)
        self.optimiser.zero_grad()
        loss.backward()
        limit = self.lesson.training.clip or float("inf")
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        self.optimiser.step()
        self.lesson.settle(self.model)
        self.step = step
        return float(loss.detach()), float(norm)

    def _checkpoint(self, since: list[tuple[float, float]]) -> None:
        if since:
            self.log["losses"].append([self.step, *np.mean(since, 0).tolist()])
        with torch.no_grad():
            self.log["measures"][str(self.step)] = dict(self.lesson.measure(self.model))
        self.folder.keep(self.step, self.model, self.log, self._resumable())

    def _resumable(self) -> dict[str, Tensor]:
        state = {"step": torch.tensor(self.step)}
        for at, moments in self.optimiser.state_dict()["state"].items():
            state |= {f"{at}/{name}": torch.as_tensor(value) for name, value in moments.items() if value is not None}
        return _contiguous(state | {f"model/{name}": value for name, value in self.model.state_dict().items()})

    def _restore(self, state: dict[str, Tensor]) -> None:
        self.step = int(state.pop("step"))
        weights = {name.removeprefix("model/"): value for name, value in state.items() if name.startswith("model/")}
        self.model.load_state_dict(weights)
        whole, moments = self.optimiser.state_dict(), {}
        for name, value in state.items():
            if not name.startswith("model/"):
                at, _, moment = name.partition("/")
                moments.setdefault(int(at), {})[moment] = value
        self.optimiser.load_state_dict(whole | {"state": moments})
        self.log["losses"] = [entry for entry in self.log["losses"] if entry[0] <= self.step]


def _contiguous(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone().contiguous() for name, value in state.items()}


def _listed(steps: list[int]) -> str:
    shown = [*steps[:3], "…", *steps[-3:]] if len(steps) > 7 else steps
    return ", ".join(map(str, shown))
