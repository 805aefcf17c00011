"""A transformer of two dimensions with one learned query, on sparse modular addition."""

from collections.abc import Iterator
from dataclasses import dataclass as plain_dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from interp.core.errors import OptionError
from interp.core.options import Seed

Length = Annotated[int, Field(ge=1, le=1024)]
WIDTH = 2
_EPSILON = 1e-5


@dataclass(frozen=True)
class ModularAddition:
    """Sparse modular addition: the sum of the first `support` tokens modulo p, of sequences of uniform tokens.

    Source: Cabannes et al. 2024 (2410.24050), section 2.
    """

    p: Annotated[int, Field(ge=2, le=64)] = Field(
        default=2, description="number of tokens, and what sums are taken modulo"
    )
    length: Length = Field(default=12, description="tokens of a sequence")
    support: Length = Field(default=5, description="tokens that count: the first ones")
    sequences: Annotated[int, Field(ge=1, le=2**20)] = Field(
        default=2048, description="of training, and as many to test"
    )
    seed: Seed = Field(default=0, description="seed of the sequences")

    def __post_init__(self) -> None:
        if self.support > self.length:
            raise OptionError(f"support = {self.support} exceeds length = {self.length}; give at most the length")

    def data(self, *, test: bool = False) -> tuple[Int[Tensor, "sequence pos"], Int[Tensor, "sequence"]]:
        """The sequences of training or those of the test, and their sums."""
        generator = torch.Generator().manual_seed(2 * self.seed + test)
        tokens = torch.randint(self.p, (self.sequences, self.length), generator=generator)
        return tokens, self.answers(tokens)

    def answers(self, tokens: Int[Tensor, "sequence pos"]) -> Int[Tensor, "sequence"]:
        """The sum of every sequence."""
        return tokens[:, : self.support].sum(-1) % self.p

    def clusters(self, tokens: Int[Tensor, "sequence pos"]) -> Int[Tensor, "sequence"]:
        """Which multiset of tokens a sequence has in the support: numbers from 0, by the counts of tokens in order."""
        counts = F.one_hot(tokens[:, : self.support], self.p).sum(1)
        return torch.unique(counts.flip(-1), dim=0, return_inverse=True)[1]


@plain_dataclass(frozen=True)
class Pass:
    """All that a forward pass computes, in order."""

    sums: Float[Tensor, "sequence pos coordinate"]
    normalised: Float[Tensor, "sequence pos coordinate"]
    attention: Float[Tensor, "sequence pos"]
    values: Float[Tensor, "sequence pos coordinate"]
    embedding: Float[Tensor, "sequence coordinate"]
    mlp_input: Float[Tensor, "sequence coordinate"]
    output: Float[Tensor, "sequence coordinate"]
    logits: Float[Tensor, "sequence vocab"]


def normalise(vectors: Tensor) -> Tensor:
    """RMSNorm without gain."""
    return F.rms_norm(vectors, vectors.shape[-1:], eps=_EPSILON)


class ClusteringHead(nn.Module):
    """E[x] + P, normalised, pooled by one learned query over values, and an MLP; logits by the same table E.

    Source: Cabannes et al. 2024 (2410.24050), section 2, and facebookresearch/pal, projects/visualization.
    """

    def __init__(self, p: int = 2, length: int = 12, neurons: int = 32, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.tokens = nn.Parameter(torch.randn(p, WIDTH))
            self.positions = nn.Parameter(torch.randn(length, WIDTH))
            self.query = nn.Parameter(torch.randn(WIDTH))
            self.value = nn.Linear(WIDTH, WIDTH, bias=False)
            self.receptors = nn.Linear(WIDTH, neurons)
            self.assemblers = nn.Linear(neurons, WIDTH)

    def forward(self, tokens: Int[Tensor, "sequence pos"]) -> Float[Tensor, "sequence vocab"]:
        """The logits of the sum."""
        return self.follow(tokens).logits

    def follow(self, tokens: Int[Tensor, "sequence pos"]) -> Pass:
        """All that the forward pass of these sequences computes."""
        sums = self.tokens[tokens] + self.positions
        normalised = normalise(sums)
        attention = (normalised @ self.query / WIDTH**0.5).softmax(-1)
        values = self.value(normalised)
        embedding = torch.einsum("sp,spc->sc", attention, values)
        mlp_input, output = self.transform(embedding)
        return Pass(sums, normalised, attention, values, embedding, mlp_input, output, output @ self.tokens.T)

    def transform(self, embedding: Float[Tensor, "*point coordinate"]) -> tuple[Tensor, Tensor]:
        """The normalised input of the MLP at these embeddings, and its output with the residual."""
        mlp_input = normalise(embedding)
        return mlp_input, embedding + self.assemblers(F.gelu(self.receptors(mlp_input)))

    def vocabulary(self) -> Iterator[Int[Tensor, "one pos"]]:
        """For every token the sequence of it alone: what every token is at every position."""
        for token in range(len(self.tokens)):
            yield torch.full((1, len(self.positions)), token)

    def with_tokens(self, p: int, seed: int = 0) -> "ClusteringHead":
        """The same model with more tokens, or fewer, whose vectors are new: the start of fine-tuning on another p."""
        model = ClusteringHead(p, len(self.positions), self.receptors.out_features, seed)
        state = {name: value for name, value in self.state_dict().items() if name != "tokens"}
        tokens = model.tokens.detach().clone()
        tokens[: min(p, len(self.tokens))] = self.tokens.detach()[:p]
        model.load_state_dict(state | {"tokens": tokens})
        return model


def cluster_quality(embeddings: Float[Tensor, "sequence coordinate"], clusters: Int[Tensor, "sequence"]) -> float:
    """The share of the variance of the embeddings that lies between clusters: 1 if each is one point."""
    centred = embeddings.detach().double() - embeddings.detach().double().mean(0)
    members = F.one_hot(clusters).double()
    sums = members.T @ centred
    between = (sums.square().sum(-1) / members.sum(0).clamp(min=1)).sum()
    total = centred.square().sum()
    return float(between / total) if total > 0 else float("nan")
