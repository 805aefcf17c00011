"""Token sensitivity: how much the last state, or the answer, changes with the embedding of every input token."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import BatchTokens, Repeats, Seed
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.flow.paths.bound import bound_obstacle, log_path_bound
from interp.kinds import TokenSensitivity
from interp.models.edits import Edit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_gradient
from interp.models.sites import Site

_EMBED = Site("embed")


@dataclass(frozen=True)
class TokenSensitivityOptions:
    """Exact or estimated, the control's draws, and whether paths are bounded."""

    estimate: int = Field(
        0, ge=0, le=10**4, description="random vectors that estimate the last state's norm; 0 computes it exactly"
    )
    draws: Repeats = Field(4, description="random directions of the last state, for the control")
    paths: Literal["bound", "none"] = Field("bound", description="compute the bound by paths, or leave it out")
    seed: Seed = Field(0, description="seed of the random vectors")
    batch_tokens: BatchTokens = Field(1024, description="tokens per backward pass: several vectors share a pass")


class _Gradients(NamedTuple):
    """‖Jᵀu‖² of one vector u of the last state a row, and that state."""

    squares: Float[Tensor, "vector pos"]
    along: Float[Tensor, "d_model"]


def _obstacle(model: HookedModel) -> str | None:
    return model.edit_obstacle(_EMBED) or model.site_obstacle(_last(model))


def _last(model: HookedModel) -> Site:
    return Site("resid_post", model.dims.layers - 1)


@engine(obstacle=_obstacle)
def token_sensitivity(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: TokenSensitivityOptions
) -> TokenSensitivity:
    """How much the last state, or the answer if a target is given, changes with the embedding of every input token.

    Norm of the Jacobian with respect to each input embedding, by position (`batch pos`).

    Without a target, `sensitivity` is the Frobenius norm of the Jacobian of the stream out of the last layer at the
    answer position, by a backward pass for each of its d_model numbers; with `estimate` = k from ‖J‖²_F = E ‖Jᵀu‖²
    with k vectors u ~ N(0, I), and its `standard_error`. With a target it is the norm of the metric's gradient.
    `control`: the root mean square of ‖Jᵀu‖ for random directions u of the last state, as long as what is read of it
    (the metric's gradient there; √d_model without a target, where it tends to the same). `log_path_bound`: log10 of a
    bound of the same norm where attention patterns do not depend on the input: the sum over all paths from the token to
    the answer of products of attention weights, norms' largest factors and spectral norms of weights. It says nothing
    of how patterns change.
    Unit: of the last state (or the metric) for each unit of the embedding.
    Raises: EngineError where activations are not finite; MemoryLimitError.
    Source: Barbero et al. 2024, "Transformers need glasses!", section 5 and theorem 5.1.
    Differs: norms and MLPs have the factors of the run, rather than one constant for all.
    """
    target = metric or Metric.reading(prompts.answer_positions(model), pooled=model.pools)
    values = {
        name: torch.full(prompts.mask.shape, torch.nan, dtype=torch.float64) for name in TokenSensitivity.variables
    }
    exact_bound = options.paths == "bound" and bound_obstacle(model) is None
    for row in track(range(len(prompts)), len(prompts), "token-sensitivity"):
        prompt, of_row = prompts[[row]], target.select([row])
        jacobian = _Jacobian(model, prompt, of_row, options.batch_tokens)
        generator = torch.Generator().manual_seed(options.seed)
        width, length = model.dims.d_model, slice(prompt.width)
        if metric is None:
            vectors = (
                torch.randn(options.estimate, width, generator=generator) if options.estimate else torch.eye(width)
            )
            squares, size = jacobian.squares(vectors.double()), width**0.5
            total = squares.mean(0) if options.estimate else squares.sum(0)
            if options.estimate > 1:
                spread = squares.std(0) / options.estimate**0.5
                values["standard_error"][row, length] = torch.where(total > 0, spread / (2 * total.sqrt()), 0)
        else:
            total, along = jacobian.of_metric()
            size = float(along.norm())
        values["sensitivity"][row, length] = total.sqrt()
        random = torch.randn(options.draws, width, generator=generator).double()
        control = jacobian.squares(random / random.norm(dim=-1, keepdim=True) * size)
        values["control"][row, length] = control.mean(0).sqrt()
        if exact_bound:
            values["log_path_bound"][row, length] = log_path_bound(model, prompt, of_row, size)
    require_finite(model, prompts, values["sensitivity"][prompts.mask])
    what = "the last state" if metric is None else target.label
    return TokenSensitivity.of(
        prompts,
        values,
        unit=f"{'stream' if metric is None else target.unit} a unit of the embedding",
        measured=f"norm of the Jacobian of {what} with respect to each token's embedding",
    )


class _Jacobian:
    """The Jacobian of one prompt's last state (or metric) with respect to its embeddings, row by row."""

    def __init__(self, model: HookedModel, prompt: Prompts, metric: Metric, batch_tokens: int) -> None:
        self.model, self.prompt, self.metric = model, prompt, metric
        self.step = max(1, batch_tokens // prompt.width)
        with torch.no_grad():
            self.embedding = model.record(prompt, [_EMBED])[_EMBED]

    def squares(self, vectors: Float[Tensor, "vector d_model"]) -> Float[Tensor, "vector pos"]:
        """‖Jᵀu‖² at every position, for each vector u."""
        parts = [self._gradient(state, place, some) for state, place, some in self._runs(vectors.split(self.step))]
        return torch.cat(parts)

    def of_metric(self) -> tuple[Float[Tensor, "pos"], Float[Tensor, "d_model"]]:
        """The squared norm of the metric's gradient at every position, and its gradient at the last state."""
        require_memory_for_gradient(self.model, self.prompt)
        place, states = self.embedding.clone().requires_grad_(), list[Tensor]()
        with torch.enable_grad():
            trace = self.model.run(self.prompt, edits=self._edits(place, states), answer=self.metric)
            value = self.metric.of_rows(trace.logits).sum()
        gradient, along = torch.autograd.grad(value, [place, states[-1]])
        return gradient[0].double().square().sum(-1).cpu(), self._at_answer(along)[0].double().cpu()

    def _runs(self, groups: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The last states and embeddings of a run for each group of vectors, a copy of the prompt a vector."""
        require_memory_for_gradient(self.model, self.prompt[[0] * min(self.step, len(groups[0]))])
        for some in groups:
            many, states = [0] * len(some), list[Tensor]()
            place = self.embedding[many].requires_grad_()
            with torch.enable_grad():
                self.model.record(self.prompt[many], edits=self._edits(place, states))
            yield self._at_answer(states[-1]), place, some

    @staticmethod
    def _gradient(state: Tensor, place: Tensor, vectors: Tensor) -> Float[Tensor, "vector pos"]:
        with torch.enable_grad():
            value = (state * vectors.to(state)).sum()
        (gradient,) = torch.autograd.grad(value, place)
        return gradient.double().square().sum(-1).cpu()

    def _edits(self, place: Tensor, states: list[Tensor]) -> list[Edit]:
        return [Edit.through(_EMBED, lambda _: place), Edit.through(_last(self.model), states.append)]

    def _at_answer(self, stream: Float[Tensor, "copy pos d_model"]) -> Float[Tensor, "copy d_model"]:
        return stream[:, 0 if self.metric.positions is None else self.metric.positions[0]]
