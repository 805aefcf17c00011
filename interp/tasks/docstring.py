"""Docstring completion: the next argument to document is the next one in the definition."""

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

from interp.core.language_model import LanguageModel
from interp.core.prompts import PromptPairs
from interp.tasks.examples import Example, draw, one_token_words, pairs_of
from interp.tasks.spec import TaskSpec

WORDS = (
    "file", "size", "load", "port", "name", "key", "value", "item", "time", "line", "text", "page", "user", "group",
    "table", "field", "color", "width", "shape", "angle", "mode", "state", "level", "rate", "price", "image", "sound",
    "video", "model", "sample", "token", "order", "weight", "length", "record", "event", "message", "source", "target",
    "number", "list", "index", "range", "limit", "count", "start", "stop", "step", "path", "node", "edge", "graph",
    "root", "data", "date", "year", "month", "day", "water", "stone", "tree", "bird", "horse", "house", "garden",
    "river", "island", "mountain", "paper", "metal", "glass", "wood", "sugar",
)  # fmt: skip
TEMPLATE = (
    "def {name}(self, {d0}, {d1}, {d2}, {d3}):\n"
    '    """{w0} {w1} {w2}\n\n'
    "    :param {p0}: {w3} {w4}\n"
    "    :param {p1}: {w5} {w6}\n"
    "    :param"
)


@dataclass(frozen=True)
class DocstringOptions:
    """`corruption`: where other names stand in place of the arguments.

    "random-definition" in the definition, so that the answer is nowhere; "random-docstring" in the two documented
    ones, so that nothing says which comes next; "random-both" in both.
    """

    corruption: Literal["random-both", "random-definition", "random-docstring"] = "random-both"


def make(model: LanguageModel, n: int, rng: Random, options: DocstringOptions) -> PromptPairs:
    """Pairs whose answer is the third argument and whose contrasts are the three others of the definition."""
    words = one_token_words(model, WORDS, 18, "argument names")
    return pairs_of(model, draw(model, n, partial(_sample, rng, words, options.corruption)))


def _sample(rng: Random, words: list[str], corruption: str, index: int) -> Example:
    sample = rng.sample(words, 18)
    arguments, strangers, rest = sample[:4], sample[4:10], sample[10:]
    constants = {"name": rest[0]} | {f"w{i}": word for i, word in enumerate(rest[1:])}

    def write(definition: list[str], docs: list[str]) -> str:
        names = {f"d{i}": word for i, word in enumerate(definition)} | {f"p{i}": word for i, word in enumerate(docs)}
        return TEMPLATE.format(**names, **constants)

    corrupted = {
        "random-both": (strangers[:4], strangers[4:]),
        "random-definition": (strangers[:4], arguments[:2]),
        "random-docstring": (arguments, strangers[4:]),
    }[corruption]
    first, second, answer, last = (f" {word}" for word in arguments)
    return Example(write(arguments, arguments[:2]), write(*corrupted), (answer,), (first, second, last))


SPEC = TaskSpec(
    name="docstring",
    make=make,
    summary="The next argument to document: “def f(self, a, b, c, d): … :param a … :param b … :param” → “ c”.",
    source=(
        "Heimersheim & Janiak 2023. Differs: own words; the contrast is the mean logit of the other three arguments, "
        "not the largest of all wrong names."
    ),
    options=DocstringOptions,
)
