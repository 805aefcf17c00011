"""What a program in RASP computes, as text with the inputs that it is meant for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interp.tasks.programs import Program, Value
from interp.tasks.rasp.resolving import Resolver
from interp.tasks.rasp.sequences import Evaluation, SOp
from interp.tasks.rasp.syntax import Place, RaspError, constant, parse

MOST_TOKENS, LONGEST_INPUT = 16, 10  # of a vocabulary, and of an input
_START = Place(1, 1)


@dataclass(frozen=True)
class Meaning:
    """A program that can be run on every input of at most `longest` tokens out of `symbols`."""

    output: SOp
    symbols: tuple[Value, ...]
    longest: int
    causal: bool

    def function(self, tokens: Sequence[Value]) -> Sequence[Value]:
        """The output at every position. Raises: RaspError where it would average what it can only move."""
        return Evaluation(tokens, self.causal).of(self.output)

    @property
    def program(self) -> Program:
        """The same as the programs that come with the package are."""
        summary = f"the program {self.output.name}, written in RASP"
        values = self.output.values
        return Program(
            self.output.name, summary, self.function, self.symbols, self.longest, self.causal, outputs=values
        )


def meaning(source: str, vocabulary: Iterable[str], longest: int, causal: bool) -> Meaning:
    """What a program computes. Raises: RaspError for one that means nothing, with the construct and its place."""
    words = list(dict.fromkeys(vocabulary))
    if not 2 <= len(words) <= MOST_TOKENS or any(len(word) > 20 or word.split() != [word] for word in words):
        raise RaspError(_START, f"the vocabulary needs 2 to {MOST_TOKENS} words of at most 20 characters; mend it")
    if reserved := {"BOS", "PAD", "UNKNOWN"} & set(words):
        raise RaspError(_START, f"{min(reserved)} stands for no token of a program; choose another word")
    if not 1 <= longest <= LONGEST_INPUT:
        raise RaspError(_START, f"inputs of {longest} tokens; give a length from 1 to {LONGEST_INPUT}")
    symbols = tuple(map(constant, words))
    statements = parse(source)
    output = Resolver(symbols, longest).output(statements)
    return Meaning(output, symbols, longest, causal)
