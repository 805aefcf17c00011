"""Planted structure: position and context in the stream of a compiled model, known without running it."""

from itertools import permutations, product

from interp.core.errors import EngineError
from interp.core.prompts import Prompts
from interp.groundtruth.truth import axes, program
from interp.kinds import PositionContext
from interp.models.hooked import HookedModel
from interp.tasks.program import text_of

_MOST = 5000  # inputs


def share_prompts(model: HookedModel) -> Prompts:
    """Every longest input of a compiled model's program.

    Raises: EngineError if symbols and positions do not cross in them, or the stream's axes are not the compiler's.
    """
    known = program(model)
    if known.start or known.sequences is permutations or len(known.symbols) ** known.longest > _MOST:
        raise EngineError("its inputs are not every symbol at every position, so that no shares are planted in them")
    if not any(name.startswith("indices=") for name in axes(model)):
        raise EngineError("its embeddings are not those of a compiler, so that no shares are planted in them")
    return Prompts.of(model, [text_of(sequence) for sequence in product(known.symbols, repeat=known.longest)])


def planted_shares(model: HookedModel) -> dict[str, float]:
    """The shares of the stream into the first layer over those inputs, behind BOS.

    A row is e(symbol) + e(position), of unit axes each, and `one` where the program reads it. Over every one of V
    symbols at every one of T positions the energies of mean, position, context and residual are 1/V + 1/T (+ 1),
    1 − 1/T, (1 − 1/V)/T, and (1 − 1/V)(1 − 1/T).
    """
    known = program(model)
    symbols, positions, constant = len(known.symbols), known.longest, int("one" in axes(model))
    energies = {
        "mean_share": 1 / symbols + 1 / positions + constant,
        "position_share": 1 - 1 / positions,
        "context_share": (1 - 1 / symbols) / positions,
        "residual_share": (1 - 1 / symbols) * (1 - 1 / positions),
    }
    return {name: energy / (2 + constant) for name, energy in energies.items()}


def largest_error(result: PositionContext, planted: dict[str, float]) -> float:
    """How far any share of the stream into the first layer is from the planted one."""
    into_first = result.data.sel(arrangement="as read").isel(layer=0)
    return max(abs(float(into_first[name]) - share) for name, share in planted.items())
