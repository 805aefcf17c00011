"""Parts of a long study: each is saved once done, and loaded when the study is resumed."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from interp.core.folders import RunFolder
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Result
from interp.models import HookedModel

Kind = TypeVar("Kind", bound=Result)


def load_or_make(
    path: Path, kind: type[Kind], model: HookedModel, prompts: Prompts | PromptPairs, make: Callable[[], Result]
) -> Kind:
    """The result at `path` if it is of this model and these prompts; otherwise it is computed, and saved there.

    Raises: ResultError if another process works in the folder, or the file is damaged.
    """
    with RunFolder(path.parent).locked():
        if path.is_file():
            result = Result.load(path)
            if isinstance(result, kind) and is_of(result, model, prompts):
                return result
        result = make()
        result.save(path)
    assert isinstance(result, kind)
    return result


def is_of(result: Result, model: HookedModel, prompts: Prompts | PromptPairs) -> bool:
    """Whether a result is of this model and these prompts."""
    return (result.provenance.weight_hash, result.provenance.prompt_hash) == (model.weight_hash, prompts.hash)
