"""Information pathways: the loss when every head keeps a random share of its keys, and of ensembles of such draws."""

from collections.abc import Iterator
from dataclasses import dataclass as plain_dataclass
from math import log

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import bootstrap_ratio
from interp.core.options import Count, Fraction, Index, Repeats
from interp.core.prompts import Prompts
from interp.corpus.enough import require_predictions
from interp.corpus.gathering import gather
from interp.corpus.losses import log_likelihoods, loss_obstacle, predicting, predictions
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.flow.paths.keys import generator_of, renormalised
from interp.kinds import InformationPathways
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class InformationPathwaysOptions(CorpusOptions):
    """The text, the shares of keys that are kept, and how often they are drawn."""

    windows: Count = Field(16, description="number of windows taken from the corpus")
    skip: Index = Field(1, description="initial positions of every window to skip in the loss")
    fractions: tuple[Fraction, ...] = Field((0.25, 0.5, 0.75, 0.9), description="shares of keys that a head keeps")
    draws: Repeats = Field(4, description="number of random choices, and of members of the ensemble")
    first: Index = Field(0, description="initial positions that every query keeps: 1 keeps the attention sink")


@plain_dataclass(frozen=True)
class PathwaySums:
    """Rows of a window: `tokens`, and Σ of the loss `dense`, `random` (`fraction draw`) and `ensemble` (`fraction`)."""

    skip: int
    fractions: tuple[float, ...]
    draws: int
    first: int
    seed: int
    name: str = "information-pathways"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        fractions = ", ".join(map(str, self.fractions))
        return {
            "skip": self.skip, "fractions": fractions, "draws": self.draws, "first": self.first, "seed": self.seed,
        }  # fmt: skip

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        counts = predicting(windows, self.skip)

        def total(logs: Float[Tensor, "window pos"]) -> np.ndarray:
            return -torch.where(counts, logs, 0).sum(1).numpy()

        random = np.zeros((len(windows), len(self.fractions), self.draws))
        ensemble = np.zeros((len(windows), len(self.fractions)))
        with torch.no_grad():
            dense = total(log_likelihoods(model.run(windows).logits, windows).double().cpu())
            for at, fraction in enumerate(self.fractions):
                draws = []
                for draw in range(self.draws):
                    logits = model.run(windows, edits=self._edits(model, windows, fraction, draw)).logits
                    draws.append(log_likelihoods(logits, windows).double().cpu())
                    random[:, at, draw] = total(draws[-1])
                ensemble[:, at] = total(torch.stack(draws).logsumexp(0) - log(self.draws))
        rows = {"tokens": predictions(windows, self.skip), "dense": dense, "random": random, "ensemble": ensemble}
        return Sums(into or {"windows": np.asarray(0)}, rows)

    def _edits(self, model: HookedModel, windows: Prompts, fraction: float, draw: int) -> Iterator[Edit]:
        """One random choice of keys for every head, query and window; a larger share keeps what a smaller one does."""
        generators = [generator_of(windows[[row]], self.seed, draw) for row in range(len(windows))]
        lengths = windows.mask.sum(1).tolist()

        def thin(pattern: Float[Tensor, "batch head query_pos key_pos"]) -> Tensor:
            keep = torch.ones(pattern.shape, dtype=torch.bool)
            for row, (generator, length) in enumerate(zip(generators, lengths, strict=True)):
                chance = torch.rand(pattern.shape[1], length, length, generator=generator)
                keep[row, :, :length, :length] = chance < fraction
            keep[..., : self.first] = True
            keep |= torch.eye(pattern.shape[-1], dtype=torch.bool)
            return renormalised(pattern, keep.to(pattern.device))

        return (Edit.through(site, thin) for site in model.sites("pattern"))


def _obstacle(model: HookedModel) -> str | None:
    return loss_obstacle(model) or model.edit_obstacle(Site("pattern", 0))


@engine(obstacle=_obstacle, default_prompts=windows_of)
def information_pathways(
    model: HookedModel, prompts: Prompts, options: InformationPathwaysOptions
) -> InformationPathways:
    """The loss when every head keeps a random share of its keys, and of ensembles of such draws.

    Each head of each layer keeps every key of every query with probability `fraction`, its own position and the `first`
    ones always, and its pattern is renormalised.

    `loss` (`fraction draw`) is the rise of the loss above the dense model's in one draw, `mean_loss` and `sd` its mean
    and standard deviation over draws (0 of one), `ensemble_loss` the rise where the probabilities of all draws are
    averaged. A share of 1 is the dense model, the control.
    Cost: a forward for each fraction and draw, and one.
    Unit: nats a token.
    Raises: CorpusError where no token is predicted.
    Source: Hussain et al. 2023, "The Information Pathways Hypothesis: Transformers are Dynamic Self-Ensembles".
    Differs: measured on a trained model, without training on such draws; keys are kept independently of one another.
    """
    how = PathwaySums(options.skip, options.fractions, options.draws, options.first, options.seed)
    rows = gather(model, prompts, how).rows
    tokens, dense = np.asarray(rows("tokens")), np.asarray(rows("dense"))
    require_predictions(tokens.sum(), options.skip)
    random = np.asarray(rows("random")) - dense[:, None, None]
    loss, _ = bootstrap_ratio(random, tokens)
    mean, interval = bootstrap_ratio(random.mean(-1), tokens)
    ensemble, ends = bootstrap_ratio(np.asarray(rows("ensemble")) - dense[:, None], tokens)
    return InformationPathways.of(
        prompts,
        {
            "mean_loss": mean,
            "mean_loss_interval": interval,
            "sd": loss.std(-1, ddof=1) if options.draws > 1 else np.zeros(len(mean)),
            "ensemble_loss": ensemble,
            "ensemble_loss_interval": ends,
            "loss": loss,
        },
        measured=f"rise of the loss, {dense.sum() / tokens.sum():.3f} nats a token, where heads keep some keys",
        sign="above 0: the keys that were left out had helped to predict the text",
        fraction=list(options.fractions),
    )
