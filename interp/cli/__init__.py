"""The command line: `interp models | list | run | show | corpus | train | sandbox | dashboard`, a module each.

Tables go to standard output; progress, logs and errors to standard error. Exit codes: 0; 2 for input that cannot be
used, with one line that names it; 1 for a failure of the program. Heavy packages load after the arguments are read.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from interp.cli.shared import Parser
from interp.core.errors import InterpError, OptionError, in_words

COMMANDS = {
    "models": ("models", "list the models on this disk, pull or check one"),
    "list": ("listing", "list the engines and tasks"),
    "run": ("run", "run an engine: `interp run ENGINE --help` lists its options"),
    "show": ("show", "print a saved result, or a circuit's file; or turn one into the other"),
    "corpus": ("corpus", "sum up what a model does with windows of text"),
    "train": ("train", "train a dictionary, or a small model: `interp train sae | siit | program | toy --help`"),
    "sandbox": ("sandbox", "list the tasks and trainings of the sandbox, or print the curves of one"),
    "dashboard": ("dashboard", "open the dashboard"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        try:
            _run(arguments)
        finally:
            sys.stdout.flush()  # a reader who has gone is noticed here rather than at exit
    except BrokenPipeError:  # the reader (head, less) has gone: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.stderr.write("interp: interrupted\n")
        return 130
    except Exception as error:
        refusal = _unwritable(error) if isinstance(error, UnicodeEncodeError) else in_words(error)
        if refusal is None:
            raise
        sys.stderr.write(f"interp: {refusal}\n")
        return 2
    return 0


def _unwritable(error: UnicodeEncodeError) -> InterpError:
    return OptionError(
        f"the output is in {error.encoding}, which cannot write {error.object[error.start]!r}; set "
        "PYTHONIOENCODING=utf-8"
    )


def _run(arguments: Sequence[str]) -> None:
    """Hand the arguments to the command's own module, which alone loads what it needs."""
    for argument in arguments:
        if any(0xD800 <= ord(character) < 0xE000 for character in argument):
            raise OptionError(f"the argument {argument!r} holds half a character (a lone surrogate); remove it")
    parser = Parser(prog="interp", description="A mechanistic interpretability workbench for transformer models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command", parser_class=Parser)
    for name, (_, text) in COMMANDS.items():
        commands.add_parser(name, help=text)
    module, _ = COMMANDS[parser.parse_args(arguments[:1]).command]
    import_module(f"interp.cli.{module}").main(arguments[1:])
