"""The text that an engine reads if it is given no prompt: options that such engines share."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.options import Count, Seed
from interp.corpus.windows import Windows
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class CorpusOptions:
    """The corpus, how many windows of it are read, and how long they are."""

    corpus: str = Field(
        "stdlib",
        description="corpus to use if no prompt is given: stdlib (of a compiled program, inputs of its own), a file, a "
        "folder, or hf:NAME",
    )
    windows: Count = Field(64, description="number of windows taken from the corpus")
    length: Count = Field(256, description="tokens per window")
    seed: Seed = Field(0, description="seed of the document order and of controls")


def windows_of(model: HookedModel, options: CorpusOptions) -> Windows:
    """The windows that the options name."""
    return Windows.cut(
        model, options.corpus, windows=options.windows, length=min(options.length, model.context_length),
        seed=options.seed,
    )  # fmt: skip
