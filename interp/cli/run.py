"""`interp run ENGINE`: an engine on prompts, a task or the text that it brings."""

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from interp.cli.shared import (
    FORMATS,
    Parser,
    add_model_flags,
    add_options,
    load_model,
    progress_bar,
    quiet_libraries,
    whole,
    write,
    write_frame,
)
from interp.core.errors import OptionError, PromptError
from interp.core.paths import typed_path

if TYPE_CHECKING:
    from interp.core.engine import EngineSpec
    from interp.core.prompts import PromptPairs, Prompts
    from interp.core.result import Result
    from interp.models import HookedModel

_GOES_WITH = {
    "corrupted": "prompt",
    "target": "prompt",
    "contrast": "target",
    "task_option": "task",
    "n": "task",
    "seed": "task",
}
_JOB = ("folder", "workers", "address", "shard")


def main(arguments: Sequence[str]) -> None:
    """Run the engine that is named first, save and print its result."""
    from interp.engines import find

    if not arguments or arguments[0].startswith("-"):
        parser = Parser(prog="interp run")
        parser.add_argument("engine", help="one of `interp list`; `interp run ENGINE --help` lists its options")
        parser.parse_args(arguments)
    spec = find(arguments[0])
    namespace = _parser(spec).parse_args(arguments[1:])
    options = {
        field.name: getattr(namespace, field.name)
        for field in dataclasses.fields(spec.options)
        if getattr(namespace, field.name) is not None
    }
    spec.parse_options(options)  # a wrong option is told before the model loads
    _check_inputs(spec, namespace)
    if run := _every_step(namespace):
        with progress_bar():
            _tell(_over_steps(spec, run, namespace, options), namespace)
        return
    model = spec.collection() if spec.collection and not namespace.model else load_model(namespace)
    with progress_bar(), _job(spec, namespace):
        prompts = _prompts(spec, model, namespace)
        if namespace.mean:
            _write_mean(spec, model, prompts, options, namespace)
            return
        result = spec(model, **({} if prompts is None else {"prompts": prompts}), **options)
    _tell(result, namespace)


def _tell(result: "Result", namespace: argparse.Namespace) -> None:
    """Save and print a result."""
    try:
        if namespace.out:
            sys.stderr.write(f"saved {result.save(namespace.out)}\n")
    finally:  # what cannot be saved is printed at least
        write(result, namespace.format, namespace.per_prompt, namespace.table)
    sys.stderr.write("".join(f"{line}\n" for line in (result.measured, result.sign) if line))


def _every_step(namespace: argparse.Namespace) -> str:
    """The training whose every step is asked for, as RUN@all; empty where one model is."""
    base, at, step = namespace.model.rpartition("@")
    return base if at and step in ("all", "*") else ""


def _over_steps(spec: "EngineSpec", run: str, namespace: argparse.Namespace, options: dict[str, Any]) -> "Result":
    from interp.sandbox import over_steps

    if namespace.mean:
        raise OptionError("--mean is of one model, and @all names every step of a training; leave one of them out")
    quiet_libraries(namespace.verbose)
    settings = {"dtype": namespace.dtype, "device": namespace.device}
    return over_steps(spec, run, lambda model: _prompts(spec, model, namespace), settings=settings, **options)


@contextmanager
def _job(spec: "EngineSpec", arguments: argparse.Namespace) -> Iterator[None]:
    """Sums over windows or prompts as the flags say; told where there are none."""
    from interp.corpus.jobs import job

    own = {field.name for field in dataclasses.fields(spec.options)}
    asked = {name: getattr(arguments, name, None) for name in _JOB if name not in own}
    asked = {name: value for name, value in asked.items() if value}
    if not asked:
        yield
        return
    with job(**asked) as made:
        try:
            yield
        except KeyboardInterrupt:
            if made.folder:
                sys.stderr.write(f"{made.folder} keeps what is done; the same command goes on from there\n")
            raise
    if not made.sums:
        flags = " and ".join(f"--{name}" for name in asked)
        more = "" if arguments.mean else "; its mean over prompts (--mean) would be"
        sys.stderr.write(f"warning: {flags} changed nothing, as {spec.name} is no sum over windows{more}\n")


def _write_mean(
    spec: "EngineSpec",
    model: "HookedModel",
    prompts: "Prompts | PromptPairs | None",
    options: dict[str, Any],
    arguments: argparse.Namespace,
) -> None:
    """The mean over the prompts: printed with its intervals, saved with its standard error."""
    from interp.evaluation import mean_over

    if prompts is None and spec.default_prompts:
        prompts = spec.default_prompts(model, spec.parse_options(options))
    assert prompts is not None  # `_check_inputs` refuses an engine without any
    found = mean_over(spec, model, prompts, **options)
    try:
        if arguments.out:
            stem = arguments.out.with_suffix("") if arguments.out.suffix == ".nc" else arguments.out
            sys.stderr.write(f"saved {found.mean.save(stem)}\n")
            sys.stderr.write(f"saved {found.standard_error.save(stem.with_name(f'{stem.name}.standard_error'))}\n")
    finally:
        if arguments.format in ("csv", "json"):
            write_frame(found.summary(arguments.table), arguments.format)
        else:
            write(found.mean, arguments.format, False, arguments.table)
    sys.stderr.write("".join(f"{line}\n" for line in (found.mean.measured, found.mean.sign) if line))


def _parser(spec: "EngineSpec") -> argparse.ArgumentParser:
    from interp.tasks.spec import Drawn

    parser = Parser(prog=f"interp run {spec.name}", description=f"{spec.summary}. Source: {spec.source}.")
    add_model_flags(parser)
    if spec.collection:  # by default all of its models, in their own precision
        parser.set_defaults(model="", dtype="float64")
    group = parser.add_argument_group("prompts", "text, or a task's prompts")
    group.add_argument("--prompt", action="append", help="a prompt; repeat for several")
    group.add_argument("--corrupted", action="append", help="its corrupted version, aligned token by token")
    group.add_argument("--target", action="append", help="the correct answer, a single token: ' Mary'")
    group.add_argument("--contrast", action="append", help="the answer it is contrasted with, a single token: ' John'")
    group.add_argument("--task", help="a task that supplies prompts and answers, such as ioi")
    group.add_argument("--task-option", action="append", default=[], metavar="NAME=VALUE", help="an option of the task")
    add_options(group, Drawn, names=set())
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="csv", help="format of what is printed; default csv")
    output.add_argument("--per-prompt", action="store_true", help="numbers for each prompt instead of their mean")
    output.add_argument("--mean", action="store_true", help="sum up shards of prompts, for data sets of any size")
    output.add_argument("--out", type=typed_path, help="file to save the result to")
    output.set_defaults(table=None)
    for table in spec.result.tables:
        output.add_argument(f"--{table}", dest="table", action="store_const", const=table, help=f"print the {table}")
    work = parser.add_argument_group("work", "sums over windows, or over prompts with --mean")
    if not {"folder", "workers"} & {field.name for field in dataclasses.fields(spec.options)}:
        work.add_argument(
            "--folder", type=typed_path, help="folder that keeps finished shards, from which a job resumes"
        )
        work.add_argument("--workers", type=whole(1), help="number of Ray workers (pip install 'interp[ray]')")
        work.add_argument("--address", help="address of a Ray cluster, ray://HOST:PORT")
        work.add_argument("--shard", type=whole(1), help="windows or prompts between two saves (default: 32)")
    own = parser.add_argument_group(f"options of {spec.name}")
    add_options(own, spec.options, names={action.dest for action in parser._actions})
    return parser


def _check_inputs(spec: "EngineSpec", arguments: argparse.Namespace) -> None:
    """Refuse, before the model loads, what could not run and what would be ignored."""
    from interp import tasks

    if arguments.task and arguments.prompt:
        raise PromptError("both --prompt and --task are given; use one")
    if spec.collection and not arguments.model and (arguments.task or arguments.prompt):
        raise PromptError(f"{spec.name} makes prompts for each of its models; leave --prompt and --task out")
    if not (arguments.task or arguments.prompt or spec.default_prompts):
        raise PromptError(f"{spec.name} needs text; give --prompt 'some text', or --task NAME")
    own = {field.name for field in dataclasses.fields(spec.options)}
    for name, owner in _GOES_WITH.items():
        if getattr(arguments, name) not in (None, []) and not getattr(arguments, owner) and name not in own:
            flag = name.replace("_", "-")
            raise OptionError(f"--{flag} goes with --{owner}; give that too, or leave --{flag} out")
    if arguments.task:
        tasks.find(arguments.task).parse_options(_task_options(arguments))


def _prompts(spec: "EngineSpec", model: "HookedModel", arguments: argparse.Namespace) -> "Prompts | PromptPairs | None":
    from interp.core.prompts import PromptPairs, Prompts

    if arguments.task:
        from interp import tasks

        return tasks.find(arguments.task)(model, **_task_options(arguments))
    if not arguments.prompt:
        return None
    target, contrast = _one_or_all(arguments.target), _one_or_all(arguments.contrast)
    if arguments.corrupted:
        return PromptPairs.of(model, arguments.prompt, arguments.corrupted, target=target, contrast=contrast)
    return Prompts.of(model, arguments.prompt, target=target, contrast=contrast)


def _one_or_all(answers: list[str] | None) -> str | list[str] | None:
    return answers[0] if answers is not None and len(answers) == 1 else answers


def _task_options(arguments: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = dict(_task_option(text) for text in arguments.task_option)
    return options | {name: value for name in ("n", "seed") if (value := getattr(arguments, name)) is not None}


def _task_option(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise OptionError(f"--task-option {text!r} is not NAME=VALUE")
    return name.replace("-", "_"), value
