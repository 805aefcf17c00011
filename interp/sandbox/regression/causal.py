"""A causal transformer over inputs and outputs in turn, which predicts every output from the pairs before it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interp.sandbox.regression.prompts import RegressionPrompts


class CausalRegressor(nn.Module):
    """Tokens x₁ y₁ x₂ y₂ …, an input as (0, x) and an output as (y, 0 … 0); outputs are read at their inputs.

    Source: Akyürek et al. 2023 (2211.15661), section 2.
    """

    def __init__(self, dimension: int, examples: int, layers: int, width: int, heads: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embed = nn.Linear(dimension + 1, width)
            self.positions = nn.Parameter(0.02 * torch.randn(2 * examples + 2, width))
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(
                    width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
                )
                for _ in range(layers)
            )
            self.norm, self.read = nn.LayerNorm(width), nn.Linear(width, 1)

    def forward(self, prompts: RegressionPrompts) -> Float[Tensor, "prompt place"]:
        """The prediction of every output."""
        return self.read(self.norm(self.states(prompts)[-1]))[..., 0]

    def states(self, prompts: RegressionPrompts) -> list[Float[Tensor, "prompt place width"]]:
        """The stream at every input, before the first layer and after each."""
        tokens = _in_turn(prompts)
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        stream = self.embed(tokens) + self.positions[:length]
        streams = [stream]
        for layer in self.layers:
            stream = layer(stream, src_mask=mask, is_causal=True)
            streams.append(stream)
        return [each[:, ::2] for each in streams]


def _in_turn(prompts: RegressionPrompts) -> Float[Tensor, "prompt token entry"]:
    """The tokens up to the query, whose output nobody sees."""
    blank = torch.zeros_like(prompts.y)[..., None]
    inputs = torch.cat([blank, prompts.x], -1)
    outputs = torch.cat([prompts.y[..., None], torch.zeros_like(prompts.x)], -1)
    return torch.stack([inputs, outputs], 2).flatten(1, 2)[:, :-1]
