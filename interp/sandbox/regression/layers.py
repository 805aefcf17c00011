"""Layers of attention over tokens (x, y), whose last is the query (x, 0): linear, and softmax with several heads."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearAttention(nn.Module):
    """Layers without softmax: e_j ← e_j + P V Σ_i e_i (K e_i)·(Q e_j); the prediction is minus the query's y.

    Source: von Oswald et al. 2023 (2212.07677), equation 1.
    """

    def __init__(self, dimension: int, layers: int = 1, deviation: float = 0.002, seed: int = 0) -> None:
        super().__init__()
        self.dimension = dimension
        shape, generator = (layers, dimension + 1, dimension + 1), torch.Generator().manual_seed(seed)
        self.query, self.key, self.value, self.projection = (
            nn.Parameter(deviation * torch.randn(shape, generator=generator)) for _ in range(4)
        )

    @classmethod
    def constructed(cls, dimension: int, examples: int, rate: float, layers: int = 1) -> "LinearAttention":
        """Layers whose prediction is so many steps of gradient descent from w = 0.

        Source: von Oswald et al. 2023 (2212.07677), proposition 1. The query's own y stays −(what is predicted).
        """
        model = cls(dimension, layers)
        inputs, output = torch.zeros(dimension + 1, dimension + 1), torch.zeros(dimension + 1, dimension + 1)
        inputs[:dimension, :dimension] = torch.eye(dimension)
        output[dimension, dimension] = -1
        with torch.no_grad():
            model.query.copy_(inputs.expand_as(model.query))
            model.key.copy_(inputs.expand_as(model.key))
            model.value.copy_(output.expand_as(model.value))
            model.projection.copy_((rate / examples * torch.eye(dimension + 1)).expand_as(model.projection))
        return model

    def forward(self, tokens: Float[Tensor, "prompt place entry"]) -> Float[Tensor, "prompt"]:
        """The prediction of the query's y."""
        for scores, values in zip(*self.products, strict=True):
            context = tokens[:, :-1]  # the query's y is the prediction: no example may read it
            summed = torch.einsum("bie,bif->bef", context, context)
            tokens = tokens + tokens @ scores.mT @ summed @ values.mT
        return -tokens[:, -1, -1]

    @property
    def products(self) -> tuple[Float[Tensor, "layer entry entry"], Float[Tensor, "layer entry entry"]]:
        """The two products that the predictions depend on: KᵀQ, and P V."""
        return self.key.mT @ self.query, self.projection @ self.value

    def scaled_products(self) -> tuple[Float[Tensor, "layer entry entry"], Float[Tensor, "layer entry entry"]]:
        """The products with the mean diagonal of KᵀQ over inputs brought to 1, which no prediction notices."""
        scores, values = self.products
        scale = scores.diagonal(dim1=-2, dim2=-1)[:, :-1].mean(-1)[:, None, None]
        return scores / scale, values * scale

    @classmethod
    def of_products(cls, scores: Tensor, values: Tensor) -> "LinearAttention":
        """The layers with these products."""
        layers, width = scores.shape[:2]
        model, same = cls(width - 1, layers).to(scores.dtype), torch.eye(width).expand(layers, width, width)
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), (scores, same, same, values), strict=True):
                parameter.copy_(value)
        return model


class SoftmaxHeads(nn.Module):
    """One layer of softmax heads; the query attends to the examples alone, and its own y is what is read.

    Source: He et al. 2025 (2503.12734), equation 2; scores are divided by √(d+1).
    """

    def __init__(self, dimension: int, heads: int, deviation: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        shape, generator = (heads, dimension + 1, dimension + 1), torch.Generator().manual_seed(seed)
        self.query, self.key, self.value, self.output = (
            nn.Parameter(deviation * torch.randn(shape, generator=generator)) for _ in range(4)
        )

    @classmethod
    def constructed(cls, dimension: int, omega: Tensor, mu: Tensor) -> "SoftmaxHeads":
        """Heads with the patterns ω and the values μ."""
        model = cls(dimension, len(omega))
        same = torch.eye(dimension + 1).expand_as(model.query)
        inputs = torch.diag(torch.tensor([1.0] * dimension + [0.0]))
        read = torch.diag(torch.tensor([0.0] * dimension + [1.0]))
        with torch.no_grad():
            model.query.copy_((dimension + 1) ** 0.5 * omega[:, None, None] * inputs)
            model.value.copy_(mu[:, None, None] * read)
            model.key.copy_(same)
            model.output.copy_(same)
        return model

    def forward(self, tokens: Float[Tensor, "prompt place entry"]) -> Float[Tensor, "prompt"]:
        """The prediction of the query's y."""
        context, query = tokens[:, :-1], tokens[:, -1]
        pattern = torch.einsum("bie,hef,bf->bhi", context, self.scores, query).softmax(-1)
        return torch.einsum("bhi,bie,he->b", pattern, context, self.values[:, -1])

    @property
    def scores(self) -> Float[Tensor, "head entry entry"]:
        """KᵀQ/√(d+1): the bilinear form of each head's scores."""
        return self.key.mT @ self.query / self.key.shape[-1] ** 0.5

    @property
    def values(self) -> Float[Tensor, "head entry entry"]:
        """O V of each head, of which the last row is read."""
        return self.output @ self.value

    @property
    def omega(self) -> Float[Tensor, "head"]:
        """The mean over inputs of the diagonal of each head's scores."""
        return self.scores.diagonal(dim1=-2, dim2=-1)[:, :-1].mean(-1)

    @property
    def mu(self) -> Float[Tensor, "head"]:
        """What each head passes on of y."""
        return self.values[:, -1, -1]

    @property
    def off_pattern(self) -> Float[Tensor, "head"]:
        """The share of each head's energy in the scores that lies outside ω · diag(1, …, 1, 0).

        Entries that meet the query's y, which is 0, change nothing and are left out.
        """
        seen = self.scores[..., :-1]
        pattern = self.omega[:, None, None] * torch.eye(seen.shape[-2], seen.shape[-1])
        return (seen - pattern).square().sum((-2, -1)) / seen.square().sum((-2, -1))
