"""Planted dictionaries: how much of directions that are known a training finds again."""

from itertools import islice
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.progress import track
from interp.dictionaries.sae.lens import import_sae_lens
from interp.dictionaries.training.options import TrainingOptions

_PLANTED, _WIDTH, _ACTIVE = 64, 32, 0.05


class Recovery(NamedTuple):
    """Cosines of planted directions and the learned ones: of each with its nearest, matched one to one, of chance."""

    nearest: float
    matched: float
    random: float


def planted_recovery(options: TrainingOptions, *, planted: int = _PLANTED, width: int = _WIDTH) -> Recovery:
    """How much of `planted` random directions a training with these options finds, each active on a twentieth of rows.

    Means over the planted directions: cosine with the nearest decoder row; with the row of the best one-to-one matching
    (MCC); with the nearest of as many random rows.
    Source: sae-lens 6.54, `sae_lens.synthetic` (features, activations, MCC); Sharkey et al. 2022, mean max cosine.
    """
    import_sae_lens()
    from sae_lens import TrainingSAE
    from sae_lens.config import SAETrainerConfig
    from sae_lens.synthetic import ActivationGenerator, FeatureDictionary, mean_correlation_coefficient
    from sae_lens.synthetic.training import SyntheticActivationIterator
    from sae_lens.training.sae_trainer import SAETrainer

    with torch.random.fork_rng([]):
        torch.manual_seed(options.seed)
        truth = FeatureDictionary(planted, width)
        rows = SyntheticActivationIterator(truth, ActivationGenerator(planted, _ACTIVE), options.batch)
        sae = TrainingSAE.from_dict(options.sae(width, "cpu", {}))
        trainer = SAETrainer(SAETrainerConfig(**options.trainer("cpu")), sae, iter(()))
        if options.normalise:
            trainer.activation_scaler.scaling_factor = width**0.5 / float(next(rows).norm(dim=-1).mean())
        for batch in track(islice(rows, options.steps), options.steps, "training on planted features"):
            trainer.maybe_reset_sparsity()
            trainer.step(batch)
            trainer.n_training_steps += 1
        random = torch.randn(options.features, width)
    directions, learned = truth.feature_vectors.detach(), sae.W_dec.detach()
    matched = mean_correlation_coefficient(learned, directions)
    return Recovery(nearest_cosine(learned, directions), float(matched), nearest_cosine(random, directions))


def nearest_cosine(learned: Float[Tensor, "feature width"], planted: Float[Tensor, "row width"]) -> float:
    """The mean over planted directions of the cosine with the nearest learned one."""
    cosines = torch.nn.functional.normalize(planted, dim=-1) @ torch.nn.functional.normalize(learned, dim=-1).T
    return float(cosines.max(-1).values.mean())
