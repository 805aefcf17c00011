"""Behaviours with right and wrong answers, and a model's accuracy on them."""

from interp.core.errors import OptionError
from interp.tasks import docstring as docstring_module
from interp.tasks import facts as facts_module
from interp.tasks import greater_than as greater_than_module
from interp.tasks import induction as induction_module
from interp.tasks import ioi as ioi_module
from interp.tasks import program as program_module
from interp.tasks import subject_verb_agreement as agreement_module
from interp.tasks.accuracy import task_accuracy
from interp.tasks.spec import TaskSpec

ioi = ioi_module.SPEC
subject_verb_agreement = agreement_module.SPEC
greater_than = greater_than_module.SPEC
induction = induction_module.SPEC
docstring = docstring_module.SPEC
facts = facts_module.SPEC
program = program_module.SPEC

TASKS: tuple[TaskSpec, ...] = (ioi, subject_verb_agreement, greater_than, induction, docstring, facts, program)
ENGINES = (task_accuracy,)


def find(name: str) -> TaskSpec:
    """The task called `name`. Raises: OptionError that lists them all if there is none."""
    for task in TASKS:
        if task.name == name:
            return task
    raise OptionError(f"there is no task {name!r}; choose one of {', '.join(task.name for task in TASKS)}")


__all__ = [
    "ENGINES",
    "TASKS",
    "TaskSpec",
    "docstring",
    "facts",
    "find",
    "greater_than",
    "induction",
    "ioi",
    "program",
    "subject_verb_agreement",
    "task_accuracy",
]
