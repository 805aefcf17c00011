"""`interp train`: a dictionary, a student of a compiled program, a Transformer Program, a toy of the sandbox."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interp.cli.shared import (
    CORPUS,
    Parser,
    add_model_flags,
    add_options,
    in_time,
    load_model,
    progress_bar,
    quiet_libraries,
    whole,
)
from interp.core.errors import OptionError
from interp.core.paths import typed_path

if TYPE_CHECKING:
    from interp.models import HookedModel


def main(arguments: Sequence[str]) -> None:
    """Train what the first argument names."""
    kinds = {"sae": _sae, "siit": _siit, "program": _program, "toy": _toy}
    parser = Parser(prog="interp train")
    parser.add_argument("kind", choices=tuple(kinds), help="`interp train KIND --help` lists its options")
    kinds[parser.parse_args(arguments[:1]).kind](arguments[1:])


def _sae(arguments: Sequence[str]) -> None:
    """Train, or go on training, and say how it went."""
    from interp.core.options import parse_options
    from interp.dictionaries.training.options import TrainingOptions

    namespace = _parser(TrainingOptions).parse_args(arguments)
    values = {field.name: getattr(namespace, field.name) for field in fields(TrainingOptions)}
    options = parse_options(
        "train sae", TrainingOptions, {name: value for name, value in values.items() if value is not None}
    )
    options.require_sense()
    needs = options.windows_to_read(namespace.length)
    if namespace.out is not None and not namespace.out.name:
        raise OptionError("--out names no folder; give one")
    from interp.corpus import Windows
    from interp.dictionaries import train
    from interp.models.sites import Site

    model = load_model(namespace)
    out = namespace.out or _folder(model, namespace)
    windows = Windows.cut(
        model, namespace.corpus, windows=needs, length=namespace.length, seed=options.seed,
        skip_unreadable=namespace.skip_unreadable,
    )  # fmt: skip
    sys.stderr.write(f"{windows.described}; hash {windows.hash}\n")
    with _resumable(out):
        train(model, windows, Site(namespace.site, namespace.layer), out=out, options=options)
    sys.stdout.write(f"{out}\n")
    sys.stderr.write("".join(f"{line}\n" for line in _summary(json.loads((out / "report.json").read_text()))))


def _siit(arguments: Sequence[str]) -> None:
    """Train a student of a compiled program, and say how well it has the program's circuit."""
    from interp.groundtruth import siit

    report, out = _small_model(
        arguments, "siit", "a compiled program, such as sort, or the folder of one",
        "Train a small transformer to have a compiled program's circuit.", siit.SiitOptions, siit.recipe, siit.train,
    )  # fmt: skip
    worst, least = report["edges"]["worst_outside"], report["edges"]["least_inside"]
    _say(
        out,
        f"accuracy {report['accuracy']:.4f}, interchange accuracy {report['interchange_accuracy']:.4f} "
        f"(edges {report['interchange_accuracy_of_edges']:.4f}), strict accuracy {report['strict_accuracy']:.4f}",
        f"answers changed by {worst['name']} outside the circuit: {worst['answers_changed']:.4f} at most; by "
        f"{least['name']} inside: {least['answers_changed']:.4f} at least",
        *([f"warning: it falls short in {', '.join(report['missed'])}"] if report["missed"] else []),
    )


def _program(arguments: Sequence[str]) -> None:
    """Learn a Transformer Program, and say how well it answers."""
    from interp.groundtruth import transformer_programs as programs

    report, out = _small_model(
        arguments, "program", "a task, such as sort",
        "Learn a program that a person can read.", programs.ProgramOptions, programs.recipe, programs.learn,
    )  # fmt: skip
    published = report["accuracy_published"]
    beside = "" if published is None else f" (published, for larger inputs: {published:.4f})"
    _say(out, f"accuracy {report['accuracy']:.4f}{beside}; the program is {out / 'program.py'}")


def _toy(arguments: Sequence[str]) -> None:
    """Train a small model on a task of the sandbox, and say how well it does."""
    from interp.models.sources import cache_folder
    from interp.sandbox import TASKS, find, train

    names = ", ".join(task.name for task in TASKS)
    parser = Parser(
        prog="interp train toy",
        description="Train a small transformer on a task whose answers are known; its steps are models. Killed "
        "halfway, it goes on when it is started again.",
    )
    parser.add_argument("name", metavar="TASK", help=f"{names}; `interp train toy TASK --help` lists its options")
    if not arguments or arguments[0].startswith("-"):
        parser.parse_args(arguments)
    task = find(arguments[0])
    parser.add_argument("--out", type=typed_path, help="output folder; by default in the cache, as run/TASK")
    for title, part in (("problem", task.problem), ("model", task.model), ("training", task.training)):
        add_options(parser.add_argument_group(title), type(part), names=set(), defaults=vars(part))
    namespace = vars(parser.parse_args(arguments))
    out = namespace.pop("out") or cache_folder("runs") / task.name
    options = {name: value for name, value in namespace.items() if name != "name" and value is not None}
    sys.stderr.write(f"{task.name} takes about {in_time(task.seconds)} as it is packaged, on two idle cores\n")
    with _resumable(out):
        report = train(task, out, options)
    others = "; ".join(f"{name} {loss:.4f}" for name, loss in report["baselines"].items())
    end = report["scores"]
    right = f", accuracy {end['accuracy']:.4f}" if "accuracy" in end else ""
    _say(out, f"loss {end['loss']:.4f}{right} (without learning: {others})")


@contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """With its progress shown; where it is interrupted, what to do is told."""
    try:
        with progress_bar():
            yield
    except KeyboardInterrupt:
        sys.stderr.write(f"{out} keeps the last checkpoint; the same command goes on from there\n")
        raise


def _small_model(
    arguments: Sequence[str],
    kind: str,
    what: str,
    description: str,
    options: type,
    recipe: Callable[[str], Any],
    train: Callable[[str, Path, Any], dict[str, Any]],
) -> tuple[dict[str, Any], Path]:
    """Train, or go on training; the report, and the folder."""
    from interp.core.options import parse_options
    from interp.models.sources import cache_folder

    parser = Parser(
        prog=f"interp train {kind}",
        description=f"{description} Killed halfway, it goes on when it is started again.",
    )
    parser.add_argument("name", metavar="TASK" if kind == "program" else "PROGRAM", help=what)
    parser.add_argument("--out", type=typed_path, help="output folder; by default in the cache")
    add_options(parser.add_argument_group("training"), options, names={action.dest for action in parser._actions})
    namespace = parser.parse_args(arguments)
    values = {field.name: getattr(recipe(namespace.name), field.name) for field in fields(options)}
    given = {name: value for name in values if (value := getattr(namespace, name)) is not None}
    chosen = parse_options(f"train {kind}", options, values | given)
    out = namespace.out or cache_folder(kind) / Path(namespace.name).name
    quiet_libraries(verbose=False)
    with _resumable(out):
        return train(namespace.name, out, chosen), out


def _say(out: Path, *lines: str) -> None:
    sys.stdout.write(f"{out}\n")
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _parser(options: type) -> Parser:
    parser = Parser(
        prog="interp train sae",
        description="Train a dictionary with sae-lens on what a site holds; killed halfway, it goes on when it is "
        "started again.",
    )
    add_model_flags(parser)
    place = parser.add_argument_group("site and text")
    place.add_argument(
        "--site",
        default="z",
        help="activation to train on: z, mlp_write, resid_pre, resid_mid, resid_post, …; default z",
    )
    place.add_argument("--layer", type=whole(0), required=True, help="layer to train on")
    place.add_argument("--corpus", default="stdlib", help=CORPUS)
    place.add_argument("--length", type=whole(2), default=256, help="tokens per window; default 256")
    place.add_argument(
        "--skip-unreadable", action="store_true", help="skip documents that cannot be read instead of stopping"
    )
    place.add_argument(
        "--out", type=typed_path, help="output folder; by default the cache, where pages and engines find it"
    )
    add_options(parser.add_argument_group("training"), options, names={action.dest for action in parser._actions})
    return parser


def _folder(model: "HookedModel", namespace: Any) -> Path:
    """Where dictionaries that were trained here are looked for, by the model's bare name and the site."""
    from interp.dictionaries.sae.catalogue import places

    return places()[-1] / f"{Path(model.name).name}-{namespace.site}{namespace.layer}"


def _summary(report: dict[str, Any]) -> list[str]:
    test, settings = report["held_out"], report["settings"]
    text = "text it has not seen" if test["unseen"] else "text it was trained on, for there is no more"
    lines = [
        f"{settings['features']:,} features of {settings['site']}: {report['tokens']:,} tokens, the text read "
        f"{report['epochs']:g} times, {report['seconds']:.0f} s",
        f"explained variance {test['explained_variance']:.3f}, {test['dead']} features never active, on "
        f"{test['tokens']:,} tokens of {text}",
        f"active features a token: {report['l0_in_training']:.2f} in training, {report['l0_as_saved']:.2f} as saved",
    ]
    if "threshold" in report:
        lines[-1] += f" ({report['l0_with_the_threshold_of_sae_lens']:.2f} with the threshold that sae-lens keeps)"
    return [*lines, f"warning: {report['warning']}"] if "warning" in report else lines
