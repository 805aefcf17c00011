"""The tasks of the sandbox, a file each."""

from interp.core.errors import OptionError
from interp.sandbox.task import Task
from interp.sandbox.tasks import addition, induction

TASKS: tuple[Task, ...] = (*induction.tasks(), *addition.tasks())


def find(name: str) -> Task:
    """The task of that name. Raises: OptionError naming all of them."""
    for task in TASKS:
        if task.name == name:
            return task
    raise OptionError(
        f"there is no task {name!r} of the sandbox; choose one of {', '.join(task.name for task in TASKS)}"
    )
