"""What a compiled program reads: random inputs of its own, each a document."""

from collections.abc import Iterator
from random import Random

from interp.core.errors import CorpusError
from interp.core.language_model import LanguageModel
from interp.corpus.document import Document
from interp.tasks.program import program_of, text_of

PROGRAM = "program"


def of_program(model: LanguageModel, count: int, seed: int) -> Iterator[Document]:
    """Random inputs of the greatest length, the first token as the topic.

    Raises: CorpusError for a model that is not compiled from a program.
    """
    program = program_of(model.program)
    if program is None:
        raise CorpusError(f"{model.name} is not compiled from a program; give another corpus than {PROGRAM}")
    rng = Random(seed)
    for number in range(count):
        tokens = program.draw(rng, program.longest)
        yield Document(f"input {number}", text_of(tokens[:1]), text_of(tokens))
