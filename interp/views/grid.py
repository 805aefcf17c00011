"""One number per layer and head, as plain data: what a heat map or a client's canvas draws."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from interp.core.errors import OptionError, ResultError
from interp.core.result import Result
from interp.kinds import Contributions, Effects, HeadScores, QKSplit, Relevance
from interp.views.choosing import choose_one, of_prompt, row_or_mean
from interp.views.marks import limit_of


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """Numbers of all heads, axes `layer head`, with their 95 % interval over prompts where there are several.

    `signed` values belong on the diverging scale from −`limit` to `limit`, others on the sequential one from 0 to
    `limit`; those of the sign `supports` support the answer. `row` is the prompt shown, None for the mean over prompts.
    """

    name: str
    unit: str
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    values: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    row: int | None
    signed: bool
    supports: str
    limit: float


def head_grid(result: Result, *, score: str | None = None, prompt: int | None = None) -> HeadGrid:
    """The numbers of every head: an attention score (`score`, by default induction), an effect, a direct effect, a
    relevance, or how far it attends by position rather than by content.

    A head's relevance is summed over positions.

    Several prompts are averaged unless `prompt` names one.
    Raises: ResultError for a result without one number per head; OptionError for an unknown score or prompt.
    """
    if not isinstance(result, HeadScores | Effects | Relevance | Contributions | QKSplit):
        raise ResultError(f"{type(result).__name__} has no value per head; give head scores or effects of heads")
    if not isinstance(result, HeadScores) and score is not None:
        raise OptionError(f"{type(result).__name__.lower()} has no score to choose; leave `score` out")
    name, array = _numbers_of(result, score)
    if array.dims != ("batch", "layer", "head"):
        raise ResultError(
            f"these effects have axes {' '.join(map(str, array.dims))}, but a grid of heads needs layer and head; "
            "run with site='z' and by_position=False"
        )
    row = row_or_mean(result, prompt)
    values, low, high = of_prompt(array.values, row)
    return HeadGrid(
        name=name.replace("_", " "),
        unit=str(array.attrs.get("unit", "")),
        layers=tuple(map(int, array.layer.values)),
        heads=tuple(map(int, array["head"].values)),
        values=values,
        low=low,
        high=high,
        row=row,
        signed=not isinstance(result, HeadScores),
        supports=str(array.attrs.get("supports", "")),
        limit=1.0 if isinstance(result, QKSplit) else limit_of(values),
    )


def _numbers_of(
    result: HeadScores | Effects | Relevance | Contributions | QKSplit, score: str | None
) -> tuple[str, xr.DataArray]:
    if isinstance(result, HeadScores):
        name = choose_one("score", score or "induction", list(result.variables))
        return name, result.values(name)
    if isinstance(result, Relevance):
        return "relevance", result.values("heads").sum("pos", keep_attrs=True)
    if isinstance(result, Contributions):
        return "direct effect", _of_heads(result.values("contribution"))
    if isinstance(result, QKSplit):
        position, context, residual = (result.values(f"{part}_share") for part in ("position", "context", "residual"))
        return "position share minus the rest", (position - context - residual).assign_attrs(position.attrs)
    return "effect", result.values("effect")


def _of_heads(values: xr.DataArray) -> xr.DataArray:
    """Components that are heads, by layer and head."""
    heads = values[:, values["head"].values >= 0].set_index(component=["layer", "head"])
    return heads.unstack("component").transpose("batch", "layer", "head")
