"""The discrete transformer while it is trained: every choice is a distribution, sampled with Gumbel noise.

Source: Friedman et al. 2023, sections 3.1 and 3.2. Differs: the noise is on the parameters (which variable is read,
which key a query matches, what a table holds), drawn once a step, and not on activations; it fades out, and the last
steps are taken with the choices made; of several matches the nearest is favoured more strongly; tables are learned as
such instead of by neurons; counts leave BOS out and are read by tables alone; BOS itself holds no variable, so that
attending to it reads nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

NOTHING = 0  # the value of every variable at BOS, and of what was read there


@dataclass(frozen=True)
class Shape:
    """Sizes: `values` of a categorical variable, of them 0 for nothing; heads and tables are per layer."""

    classes: int
    values: int
    causal: bool
    layers: int
    heads: int
    counts: int
    tables: int
    count_tables: int


class Gate(nn.Module):
    """Distributions over choices, one a row, from which `sampled` draws."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(shape) / shape[-1] ** 0.5)

    def sampled(self, temperature: float, noise: float, generator: torch.Generator) -> Tensor:
        """A relaxed sample; without noise the most likely choice itself, with the gradient of the relaxed one."""
        if not noise:
            relaxed = (self.logits / temperature).softmax(-1)
            return F.one_hot(self.choices(), relaxed.shape[-1]) + relaxed - relaxed.detach()
        uniform = torch.rand(self.logits.shape, generator=generator).clamp_(1e-9, 1 - 1e-7)
        return ((self.logits - noise * (-uniform.log()).log()) / temperature).softmax(-1)

    def choices(self) -> Int[Tensor, "..."]:
        """The most likely of each row."""
        return self.logits.argmax(-1)


class SoftLayer(nn.Module):
    """One layer's gates."""

    def __init__(self, shape: Shape, variables: int, numbers: int) -> None:
        super().__init__()
        heads, values = shape.heads + shape.counts, shape.values
        self.query, self.key = Gate(heads, variables), Gate(heads, variables)
        self.value = Gate(shape.heads, variables)
        self.matches = Gate(heads, values, values)
        self.reads = Gate(shape.tables, 2, variables + shape.heads)
        self.tables = Gate(shape.tables, values, values, values)
        self.count_reads = Gate(shape.count_tables, 2, numbers + shape.counts) if shape.count_tables else None
        self.count_tables = Gate(shape.count_tables, values, values, values)


class Noise(NamedTuple):
    """The temperature of a step, how much of the noise there is, and where it comes from."""

    temperature: float
    scale: float
    generator: torch.Generator


class SoftProgram(nn.Module):
    """The whole: categorical variables side by side, and counts."""

    def __init__(self, shape: Shape, seed: int) -> None:
        super().__init__()
        self.shape = shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            each = shape.heads + shape.tables + shape.count_tables
            self.depths = [SoftLayer(shape, 2 + depth * each, depth * shape.counts) for depth in range(shape.layers)]
            self.layers = nn.ModuleList(self.depths)
            variables = 2 + shape.layers * each
            self.classifier = nn.Parameter(torch.randn(variables, shape.values, shape.classes) / shape.classes**0.5)

    def forward(self, tokens: Int[Tensor, "row pos"], noise: Noise) -> Float[Tensor, "row pos class"]:
        """Logits; `tokens` are values from 1, 0 at BOS, and −1 where there is padding."""
        shape, width = self.shape, tokens.shape[1]
        sees = (tokens >= 0)[:, None].expand(-1, width, -1)
        if shape.causal:
            sees = sees & torch.ones(width, width, dtype=torch.bool).tril()
        one_hot = [F.one_hot(tokens.clamp(min=0), shape.values), F.one_hot(torch.arange(width), shape.values)]
        one_hot[1] = one_hot[1].expand(len(tokens), -1, -1)
        variables, counts = torch.stack(one_hot, 2).float(), tokens.new_zeros(*tokens.shape, 0, dtype=torch.float)
        nothing = F.one_hot(torch.tensor(NOTHING), shape.values).float()
        bos = (torch.arange(width) == 0)[:, None, None]
        for layer in self.depths:
            read, counted = self._attention(layer, variables, sees, noise)
            counts = torch.cat([counts, counted], 2)
            variables = torch.cat([variables, torch.where(bos, nothing, read)], 2)
            looked_up = [look_up(variables, layer.reads, layer.tables, noise)]
            if layer.count_reads is not None:
                looked_up.append(look_up(as_hats(counts, shape.values), layer.count_reads, layer.count_tables, noise))
            variables = torch.cat([variables, torch.where(bos, nothing, torch.cat(looked_up, 2))], 2)
        return torch.einsum("rtnv,nvc->rtc", variables, self.classifier)

    def _attention(self, layer: SoftLayer, variables: Tensor, sees: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        heads = self.shape.heads
        query = torch.einsum("rtnv,hn->rhtv", variables, layer.query.sampled(*noise))
        key = torch.einsum("rtnv,hn->rhtv", variables, layer.key.sampled(*noise))
        matches = layer.matches.sampled(*noise)
        matches = torch.cat([torch.zeros_like(matches[:, :1]), matches[:, 1:]], 1)  # nothing matches nothing
        scores = (query @ matches)[..., 1:] @ key[..., 1:].transpose(-1, -2) * sees[:, None]
        counted = scores[:, heads:].sum(-1).transpose(1, 2)
        scores = scores[:, :heads]
        missing = (1 - scores.sum(-1, keepdim=True)).relu()
        scores = torch.cat([scores[..., :1] + missing, scores[..., 1:]], -1)
        ranked = (scores + 1e-20).log() - ranks(scores.shape[-1]) / 2
        ranked = ranked.masked_fill(~sees[:, None], torch.finfo(ranked.dtype).min)
        pattern = (ranked / (self.shape.values**0.5 * noise.temperature)).softmax(-1)
        value = torch.einsum("rtnv,hn->rhtv", variables, layer.value.sampled(*noise))
        return (pattern @ value).transpose(1, 2), counted


def look_up(variables: Float[Tensor, "row pos n value"], reads: Gate, tables: Gate, noise: Noise) -> Tensor:
    """What each table holds for the two variables that it reads."""
    first, second = torch.einsum("rtnv,min->imrtv", variables, reads.sampled(*noise))
    pairs = (first[..., :, None] * second[..., None, :]).flatten(-2)
    return torch.einsum("mrtp,mpv->rtmv", pairs, tables.sampled(*noise).flatten(1, 2))


def as_hats(counts: Float[Tensor, "row pos n"], values: int) -> Float[Tensor, "row pos n value"]:
    """Counts as weights of the two whole numbers next to them."""
    return (1 - (counts[..., None] - torch.arange(values)).abs()).relu()


def ranks(width: int) -> Int[Tensor, "pos pos"]:
    """Which of several matches is read: the nearest, the earlier of two as near, and the position itself last."""
    offset = torch.arange(width) - torch.arange(width)[:, None]
    return torch.where(offset == 0, 2 * width, 2 * offset.abs() + (offset > 0).long())
