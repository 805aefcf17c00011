"""Parts of a study that takes long: each is kept as it is done, and read again when the study goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Result
from interp.models import HookedModel

Kind = TypeVar("Kind", bound=Result)


def kept(
    path: Path, kind: type[Kind], model: HookedModel, prompts: Prompts | PromptPairs, make: Callable[[], Result]
) -> Kind:
    """The result at `path` if it is of this model and these prompts; otherwise it is made, and written there."""
    if path.is_file():
        found = Result.load(path)
        if isinstance(found, kind) and is_of(found, model, prompts):
            return found
    made = make()
    made.save(path)
    assert isinstance(made, kind)
    return made


def is_of(found: Result, model: HookedModel, prompts: Prompts | PromptPairs) -> bool:
    """Whether a result is of this model and these prompts."""
    return (found.provenance.weight_hash, found.provenance.prompt_hash) == (model.weight_hash, prompts.hash)
