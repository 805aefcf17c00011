"""The special models: their lessons by name, and runs by folder or by the name that they come with."""

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from interp.core.errors import ModelError
from interp.core.paths import typed_path
from interp.sandbox.clustering.lesson import ClusteringLesson
from interp.sandbox.connectivity.lesson import ConnectivityLesson
from interp.sandbox.lessons import Lesson, Run
from interp.sandbox.regression.lessons import AlgorithmsLesson, GradientDescentLesson, HeadsLesson

LESSONS: dict[str, type[Lesson]] = {
    lesson.name: lesson
    for lesson in (ClusteringLesson, GradientDescentLesson, HeadsLesson, AlgorithmsLesson, ConnectivityLesson)
}
PACKAGED = Path(__file__).with_name("trained")


class Loaded(NamedTuple):
    """A special model at a step of its training, with what it learned."""

    model: Any
    lesson: Lesson
    step: int


def run_of(name: str | Path) -> Run:
    """The run of a folder, or of a name that comes with the package.

    Raises: ModelError where neither is there.
    """
    packaged = PACKAGED / name
    if packaged.is_dir() and packaged.parent == PACKAGED:
        return Run(packaged)
    folder = typed_path(str(name))
    if not folder.is_dir():
        raise ModelError(f"there is no run {name}; give a folder, or one of {', '.join(packaged_runs())}")
    return Run(folder)


def lesson_of(run: Run) -> Lesson:
    """What a run learned.

    Raises: ModelError for a run of another version or of an unknown lesson.
    """
    record = run.lesson_options()
    lesson = LESSONS.get(record["lesson"])
    if lesson is None:
        raise ModelError(f"{run.path} is of lesson {record['lesson']!r}; known are {', '.join(LESSONS)}")
    return lesson(TypeAdapter(lesson.form).validate_python(record["options"]))


def load(name: str) -> Loaded:
    """The model of `RUN` at its last step, or of `RUN@STEP`.

    Raises: ModelError for a run or a step that is not there.
    """
    place, _, at = name.partition("@")
    run = run_of(place)
    if at and not at.isdecimal():
        raise ModelError(f"{name}: {at!r} is no step; give a number after @")
    step = int(at) if at else run.steps[-1]
    lesson = lesson_of(run)
    return Loaded(run.load(lesson, step), lesson, step)


def packaged_runs() -> list[str]:
    """The names of the runs that come with the package."""
    return sorted(folder.name for folder in PACKAGED.iterdir() if folder.is_dir()) if PACKAGED.is_dir() else []


def train(lesson: Lesson, folder: str | Path) -> Run:
    """Train a special model in a folder, or go on with what is there; its run."""
    run = Run(typed_path(str(folder)))
    run.train(lesson)
    return run
