"""Which feature and which position of a prompt are asked about."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.dictionaries.sae.attached import Attached
from interp.models.hooked import HookedModel

ANSWER = -1  # stands for the position where the answer is read


def chosen_positions(engine: str, model: HookedModel, prompts: Prompts, position: int) -> Int[Tensor, "batch"]:
    """The position that is asked about in every prompt. Raises: OptionError where a prompt is shorter."""
    if position == ANSWER:
        return torch.tensor(prompts.answer_positions(model))
    shortest = int(prompts.mask.sum(-1).min())
    if position >= shortest:
        raise OptionError(
            f"{engine}, position = {position}: the prompt has positions 0 to {shortest - 1}; {ANSWER} is the answer "
            "position"
        )
    return torch.full((len(prompts),), position)


def require_features(engine: str, features: Sequence[int], count: int) -> None:
    """Raises: OptionError for a feature that the dictionary lacks."""
    wrong = [feature for feature in features if not 0 <= feature < count]
    if wrong:
        raise OptionError(f"{engine}, feature = {wrong[0]}: the dictionary has features 0 to {count - 1}")


def most_active(
    engine: str, option: str, dictionary: Attached, features: Float[Tensor, "batch feature"], at: Int[Tensor, "batch"]
) -> Int[Tensor, "batch"]:
    """The feature that is the most active at a position of every prompt; the first of several.

    Raises: OptionError where none is active, naming the option that names one.
    """
    size, feature = features.abs().max(-1)
    silent = (size == 0).nonzero()[:, 0].tolist()
    if silent:
        raise OptionError(
            f"{engine}: no feature of {dictionary.name} is active at position {int(at[silent[0]])} of prompt "
            f"{silent[0]}; give one with {option}, or another position"
        )
    return feature
