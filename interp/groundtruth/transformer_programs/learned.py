"""A learned program: what is left of a discrete transformer once every choice is made.

Values of a variable are numbers from 1, and 0 for nothing: at BOS, and where BOS was attended to for want of a match.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from interp.groundtruth.transformer_programs.soft import NOTHING, SoftProgram, ranks

Values = dict[str, Int[Tensor, "row pos"]]
SOURCES = ("tokens", "positions")
_TO_PRUNE = 4_000  # rows


@dataclass(frozen=True)
class Head:
    """Reads `value` where the nearest key matches; without a `value`, counts the keys that match."""

    name: str
    query: str
    key: str
    value: str | None
    matches: dict[int, int]

    @property
    def reads(self) -> tuple[str, ...]:
        """The variables that it depends on."""
        return (self.query, self.key) if self.value is None else (self.query, self.key, self.value)


@dataclass(frozen=True)
class Table:
    """What stands for each pair of values of two variables."""

    name: str
    reads: tuple[str, str]
    holds: dict[tuple[int, int], int]


@dataclass(frozen=True)
class Layer:
    """Heads, then the tables that make up the layer's MLP."""

    heads: tuple[Head, ...] = ()
    tables: tuple[Table, ...] = ()

    def parts(self) -> Iterator[Head | Table]:
        """All that it computes, in order."""
        yield from self.heads
        yield from self.tables


@dataclass(frozen=True, eq=False)
class LearnedProgram:
    """A whole program; `classifier` has for each variable that it reads, value and class, a weight in thousandths."""

    symbols: tuple[str, ...]
    positions: int
    causal: bool
    layers: tuple[Layer, ...]
    classifier: dict[str, Int[Tensor, "value class"]]

    def run(self, tokens: Int[Tensor, "row pos"]) -> Values:
        """The value of every variable; `tokens` are 0 at BOS, and −1 where there is padding."""
        width = tokens.shape[1]
        values = {"tokens": tokens.clamp(min=0), "positions": torch.arange(width).expand(len(tokens), -1)}
        sees = (tokens >= 0)[:, None].expand(-1, width, -1)
        if self.causal:
            sees = sees & torch.ones(width, width, dtype=torch.bool).tril()
        for layer in self.layers:
            values |= {head.name: _attended(head, values, sees) for head in layer.heads}
            values |= {table.name: _looked_up(table, values) for table in layer.tables}
        return values

    def scores(self, values: Values) -> Int[Tensor, "row pos class"]:
        """The sum of the classifier's weights."""
        return sum(weights[values[name]] for name, weights in self.classifier.items())  # pyright: ignore[reportReturnType]

    def answers(self, tokens: Int[Tensor, "row pos"]) -> Int[Tensor, "row pos"]:
        """The class of the largest score, of several the first."""
        scores = self.scores(self.run(tokens))
        return torch.where(scores == scores.amax(-1, keepdim=True), 1, 0).argmax(-1)

    def domain(self, name: str) -> tuple[int, ...]:
        """The values that a variable can have, in order."""
        sources = {"tokens": len(self.symbols) + 1, "positions": self.positions}
        if name in sources:
            return tuple(range(sources[name]))
        part = next(part for layer in self.layers for part in layer.parts() if part.name == name)
        if isinstance(part, Table):
            first, second = map(self.domain, part.reads)
            return tuple(sorted({NOTHING, *(part.holds[one, other] for one in first for other in second)}))
        return self.domain(part.value) if part.value else tuple(range(self.positions))


def _attended(head: Head, values: Values, sees: Tensor) -> Tensor:
    query, key = values[head.query], values[head.key]
    wanted = torch.tensor([head.matches.get(value, NOTHING) for value in range(int(query.max()) + 1)])[query]
    matches = (wanted[:, :, None] == key[:, None]) & (key != NOTHING)[:, None] & sees
    if head.value is None:
        return matches.sum(-1)
    rank = torch.where(matches, ranks(sees.shape[-1]), 3 * sees.shape[-1])
    nearest = torch.where(matches.any(-1), rank.argmin(-1), 0)
    return values[head.value].gather(1, nearest)


def _looked_up(table: Table, values: Values) -> Tensor:
    first, second = (values[name] for name in table.reads)
    size = max(int(first.max()), int(second.max())) + 1
    holds = torch.tensor([table.holds.get((one, other), NOTHING) for one in range(size) for other in range(size)])
    result = holds[first * size + second]
    result[:, 0] = NOTHING
    return result


def discretised(soft: SoftProgram, symbols: tuple[str, ...], positions: int) -> LearnedProgram:
    """The program of the most likely choices."""
    shape, counts, layers = soft.shape, [], []
    names: list[str] = [*SOURCES]
    for depth, layer in enumerate(soft.depths):
        matches, query, key = layer.matches.choices(), layer.query.choices(), layer.key.choices()
        value, heads = layer.value.choices(), []
        for index in range(shape.heads + shape.counts):
            reads = names[value[index]] if index < shape.heads else None
            wanted = {one: int(other) for one, other in enumerate(matches[index]) if one and other}
            name = f"{'attn' if reads else 'count'}_{depth}_{index}"
            heads.append(Head(name, names[query[index]], names[key[index]], reads, wanted))
        names += [head.name for head in heads if head.value]
        counts += [head.name for head in heads if not head.value]
        tables = _tables(layer.reads.choices(), layer.tables.choices(), names, f"mlp_{depth}_")
        if layer.count_reads is not None:
            tables += _tables(layer.count_reads.choices(), layer.count_tables.choices(), counts, f"count_mlp_{depth}_")
        names += [table.name for table in tables]
        layers.append(Layer(tuple(heads), tuple(tables)))
    classifier = dict(zip(names, (soft.classifier.detach() * 1000).round().long(), strict=True))
    return LearnedProgram(symbols, positions, shape.causal, tuple(layers), classifier)


def _tables(reads: Tensor, holds: Tensor, names: list[str], prefix: str) -> list[Table]:
    size = range(holds.shape[-1])
    return [
        Table(
            f"{prefix}{index}",
            (names[first], names[second]),
            {(one, other): int(held[one, other]) for one in size for other in size},
        )
        for index, ((first, second), held) in enumerate(zip(reads.tolist(), holds, strict=True))
    ]


def refitted(program: LearnedProgram, tokens: Tensor, wanted: Tensor, steps: int = 300) -> LearnedProgram:
    """The same variables, with the classifier that fits them best. `wanted` is −1 where nothing is asked."""
    values, generator = program.run(tokens), torch.Generator().manual_seed(0)
    weights = {name: (each.float() / 1000).requires_grad_() for name, each in program.classifier.items()}
    optimiser = torch.optim.Adam(weights.values(), lr=0.1)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
        rows = torch.randint(len(tokens), (512,), generator=generator)
        logits: Float[Tensor, "row pos class"] = torch.stack(
            [w[values[name][rows]] for name, w in weights.items()]
        ).sum(0)
        loss = F.cross_entropy(logits.transpose(1, 2), wanted[rows], ignore_index=-1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return replace(program, classifier={name: (each.detach() * 1000).round().long() for name, each in weights.items()})


def pruned(program: LearnedProgram, tokens: Tensor, wanted: Tensor, worth: float = 1e-3) -> LearnedProgram:
    """Without the variables whose absence from the classifier costs less than `worth` of the accuracy, what only they
    depend on, heads that equal others, and what tables hold for pairs that never occur."""
    program = refitted(_distinct(program), tokens, wanted)
    some = torch.arange(len(tokens))[:_TO_PRUNE]
    values, asked = program.run(tokens[some]), wanted[some]
    while len(program.classifier) > 1:
        scores = program.scores(values)
        costs = {name: scores - weights[values[name]] for name, weights in program.classifier.items()}
        accuracies = {name: _accuracy(without, asked) for name, without in costs.items()}
        least = max(accuracies, key=accuracies.__getitem__)
        smaller = replace(program, classifier={n: each for n, each in program.classifier.items() if n != least})
        if accuracies[least] < _accuracy(scores, asked) - worth:
            smaller = refitted(smaller, tokens, wanted, steps=100)
            if _accuracy(smaller.scores(values), asked) < _accuracy(scores, asked) - worth:
                break
        program = smaller
    return _alive(_visited(refitted(program, tokens, wanted), tokens))


def _distinct(program: LearnedProgram) -> LearnedProgram:
    """Without heads that do what others do."""
    names: dict[str, str] = {}
    layers = []
    for layer in (_renamed(layer, names) for layer in program.layers):
        heads: dict[object, Head] = {}
        for head in (_renamed_head(head, names) for head in layer.heads):
            first = heads.setdefault((head.reads, tuple(head.matches.items())), head)
            if first is not head:
                names[head.name] = first.name
        layers.append(_renamed(Layer(tuple(heads.values()), layer.tables), names))
    classifier = {name: each for name, each in program.classifier.items() if name not in names}
    return replace(program, layers=tuple(layers), classifier=classifier)


def _visited(program: LearnedProgram, tokens: Tensor) -> LearnedProgram:
    """Tables hold what they hold most often for pairs of values that never occur on `tokens`."""
    values = program.run(tokens)
    read = (tokens >= 0) & (torch.arange(tokens.shape[1]) > 0)

    def simplified(table: Table) -> Table:
        pairs = torch.stack([values[name][read] for name in table.reads], -1).unique(dim=0)
        visited = {(one, other): table.holds[one, other] for one, other in pairs.tolist()}
        usual = max(sorted(set(visited.values())), key=list(visited.values()).count)
        return replace(table, holds={pair: visited.get(pair, usual) for pair in table.holds})

    layers = (Layer(layer.heads, tuple(map(simplified, layer.tables))) for layer in program.layers)
    return replace(program, layers=tuple(layers))


def _accuracy(scores: Tensor, wanted: Tensor) -> float:
    return float((scores.argmax(-1) == wanted)[wanted >= 0].float().mean())


def _alive(program: LearnedProgram) -> LearnedProgram:
    """Only what the classifier depends on; layers, heads and tables are numbered anew."""
    needed, layers = set(program.classifier), []
    for layer in reversed(program.layers):
        tables = tuple(table for table in layer.tables if table.name in needed)
        needed |= {name for table in tables for name in table.reads}
        heads = tuple(head for head in layer.heads if head.name in needed)
        needed |= {name for head in heads for name in head.reads}
        if heads or tables:
            layers.insert(0, Layer(heads, tables))
    names = {name: name for name in SOURCES}
    for depth, layer in enumerate(layers):
        names |= {part.name: f"{_kind(part.name)}_{depth}_{index}" for index, part in enumerate(layer.heads)}
        names |= {part.name: f"{_kind(part.name)}_{depth}_{index}" for index, part in enumerate(layer.tables)}
    return replace(
        program,
        layers=tuple(_renamed(layer, names) for layer in layers),
        classifier={names[name]: each for name, each in program.classifier.items()},
    )


def _renamed(layer: Layer, names: dict[str, str]) -> Layer:
    """With other names for what it computes and reads."""
    new = lambda name: names.get(name, name)  # noqa: E731
    tables = (replace(table, name=new(table.name), reads=tuple(map(new, table.reads))) for table in layer.tables)
    return Layer(tuple(_renamed_head(head, names) for head in layer.heads), tuple(tables))


def _renamed_head(head: Head, names: dict[str, str]) -> Head:
    name, query, key = (names.get(each, each) for each in (head.name, head.query, head.key))
    return Head(name, query, key, head.value and names.get(head.value, head.value), head.matches)


def _kind(name: str) -> str:
    return name.rsplit("_", 2)[0].removeprefix("count_") if "mlp" in name else name.rsplit("_", 2)[0]
