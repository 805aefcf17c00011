"""The tasks of the sandbox, a file each."""

from interp.sandbox.task import Task

TASKS: tuple[Task, ...] = ()
