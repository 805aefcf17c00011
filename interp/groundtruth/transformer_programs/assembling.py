"""A learned program as weights of the compiled shape, which give the program's answers.

A categorical variable is an axis per value, a count the share of attention left at BOS, 1 / (count + 1), and attention
is a softmax so cold that all but the nearest match is next to nothing (as tracr does it).
"""

from itertools import pairwise
from typing import Any

import numpy as np

from interp.groundtruth.transformer_programs.learned import TENTHS, Head, Layer, LearnedProgram, Table
from interp.groundtruth.transformer_programs.soft import NOTHING, ranks
from interp.models.word_tokenizer import BOS, PAD

_COLD = 20.0  # between a key and the next one: e⁻²⁰ of the attention goes astray
_SHUT = 1e4  # keeps a neuron at 0 at BOS
_TIE = 1 / TENTHS / 16  # all classes together are less apart than scores are
_NEVER = 1e4  # below every logit of an answer


class Assembly:
    """Axes, vocabulary and weights."""

    def __init__(self, program: LearnedProgram, classes: tuple[str, ...], name: str) -> None:
        self.program, self.classes, self.name = program, classes, name
        self.vocabulary = [BOS, PAD, *dict.fromkeys([*program.symbols, *classes])]
        self.heads = max(1, *(len(layer.heads) for layer in program.layers))
        self.axes = self._axes()
        self.place = {axis: index for index, axis in enumerate(self.axes)}
        self.width = max([len(program.domain(name)) for name in self._categorical()])
        self.head_size = self.width + program.positions + 1

    def _categorical(self) -> list[str]:
        parts = [part.name for layer in self.program.layers for part in layer.parts() if not _is_count(part)]
        return ["tokens", "positions", *parts]

    def _axes(self) -> list[tuple[str, int]]:
        """Each variable's values; a count is one axis."""
        axes = [(name, value) for name in ("tokens", "positions") for value in self.program.domain(name)]
        for part in (part for layer in self.program.layers for part in layer.parts()):
            values = (-1,) if _is_count(part) else self.program.domain(part.name)
            axes += [(part.name, value) for value in values]
        return [*axes, ("one", -1)]

    def axis_names(self) -> list[str]:
        """`variable=value`."""
        tokens = ["BOS", *self.program.symbols]
        named = lambda name, value: tokens[value] if name == "tokens" else value  # noqa: E731
        return [name if value < 0 else f"{name}={named(name, value)}" for name, value in self.axes]

    def config(self) -> dict[str, Any]:
        """The content of config.json."""
        return {
            "architectures": ["CompiledForCausalLM"],
            "bos_token_id": 0,
            "head_dim": self.head_size,
            "hidden_size": len(self.axes),
            "intermediate_size": max(1, *(len(self._neurons(layer)) for layer in self.program.layers)),
            "is_causal": self.program.causal,
            "max_position_embeddings": self.program.positions,
            "model_type": "compiled",
            "num_attention_heads": self.heads,
            "num_hidden_layers": len(self.program.layers),
            "pad_token_id": 1,
            "program": self.name,
            "vocab_size": len(self.vocabulary),
        }

    def weights(self) -> dict[str, np.ndarray]:
        """By the parameters of `interp.models.compiled`."""
        tokens = np.zeros((len(self.vocabulary), len(self.axes)))
        places = np.zeros((self.program.positions, len(self.axes)))
        for value, symbol in enumerate([BOS, *self.program.symbols]):
            tokens[self.vocabulary.index(symbol), self.place["tokens", value]] = 1
        places[range(self.program.positions), [self.place["positions", p] for p in range(self.program.positions)]] = 1
        places[:, self.place["one", -1]] = 1
        weights = {"transformer.wte.weight": tokens, "transformer.wpe.weight": places} | self._unembedding()
        for depth, layer in enumerate(self.program.layers):
            weights |= {
                f"transformer.h.{depth}.attn.{name}.weight": each for name, each in self._attention(layer).items()
            }
            weights |= {f"transformer.h.{depth}.mlp.{name}.weight": each for name, each in self._mlp(layer).items()}
        return {name: np.ascontiguousarray(each, np.float32) for name, each in weights.items()}

    def _unembedding(self) -> dict[str, np.ndarray]:
        matrix, bias = np.zeros((len(self.vocabulary), len(self.axes))), np.full(len(self.vocabulary), -_NEVER)
        rows = [self.vocabulary.index(each) for each in self.classes]
        bias[rows] = [-_TIE * index for index in range(len(rows))]  # of equal scores the first class wins
        for name, weights in self.program.classifier.items():
            for value in self.program.domain(name):
                matrix[rows, self.place[name, value]] = weights[value].numpy() / TENTHS
        return {"lm_head.weight": matrix, "lm_head.bias": bias}

    def _attention(self, layer: Layer) -> dict[str, np.ndarray]:
        q, k, v, o = (np.zeros((self.heads, self.head_size, len(self.axes))) for _ in "qkvo")
        for index, head in enumerate(layer.heads):
            self._select(head, q[index], k[index])
            if head.value is None:
                v[index, 0, self.place["tokens", NOTHING]] = 1
                o[index, 0, self.place[head.name, -1]] = 1
            else:
                for row, value in enumerate(self.program.domain(head.value)):
                    v[index, row, self.place[head.value, value]] = 1
                    o[index, row, self.place[head.name, value]] = 1
        flat = {"q_proj": q, "k_proj": k, "v_proj": v, "out_proj": o}
        flat = {name: each.reshape(-1, len(self.axes)) for name, each in flat.items()}
        return flat | {"out_proj": flat["out_proj"].T}

    def _select(self, head: Head, query: np.ndarray, key: np.ndarray) -> None:
        """Scores: a match is worth more than all that nearness can take away; BOS stands between match and none."""
        positions = self.program.positions
        rank = ranks(positions).numpy() * (head.value is not None)
        bos = _COLD * (rank.max() + 1)
        match = bos + _COLD * (rank.max() + 1) if head.value is not None else bos
        domain = [value for value in self.program.domain(head.key) if value != NOTHING]
        for row, value in enumerate(domain):
            key[row, self.place[head.key, value]] = 1
            for asked, wanted in head.matches.items():
                if wanted == value and (head.query, asked) in self.place:
                    query[row, self.place[head.query, asked]] = match
        last = self.width + positions
        query[last, self.place["one", -1]] = 1
        key[last, self.place["tokens", NOTHING]] = bos
        if head.value is not None:
            for position in range(1, positions):  # BOS is nobody's neighbour
                key[self.width + position, self.place["positions", position]] = 1
                query[self.width + position, [self.place["positions", other] for other in range(positions)]] = (
                    -_COLD * rank[:, position]
                )

    def _mlp(self, layer: Layer) -> dict[str, np.ndarray]:
        neurons = self._neurons(layer)
        size = self.config()["intermediate_size"]
        read, write = (np.zeros((size, len(self.axes))) for _ in range(2))
        for row, (reads, writes) in enumerate(neurons):
            for axis, weight in reads.items():
                read[row, self.place[axis]] += weight
            for axis, weight in writes.items():
                write[row, self.place[axis]] += weight
        return {"c_fc": read, "c_proj": write.T}

    def _neurons(self, layer: Layer) -> list[tuple[dict[Any, float], dict[Any, float]]]:
        """What each neuron reads and writes, by axis."""
        neurons = []
        for table in layer.tables:
            counts = not all((name, NOTHING) in self.place for name in table.reads)
            of_table = self._of_counts(table) if counts else self._of_values(table)
            shut = {("tokens", NOTHING): -_SHUT}
            neurons += [(reads | shut, writes) for reads, writes in of_table]
            neurons.append(({("tokens", NOTHING): 1.0}, {(table.name, NOTHING): 1.0}))
        return neurons

    def _of_values(self, table: Table) -> list[tuple[dict[Any, float], dict[Any, float]]]:
        """A neuron that says what the table mostly holds, and one for each value of the first variable and each other
        result that puts it in its place."""
        first, second = (self.program.domain(name) for name in table.reads)
        same = table.reads[0] == table.reads[1]
        held = [table.holds[one, other] for one in first for other in second if not same or one == other]
        usual = max(sorted(set(held)), key=held.count)
        neurons: list[Any] = [({("one", -1): 1.0}, {(table.name, usual): 1.0})]
        for one in first:
            results: dict[int, list[int]] = {}
            for other in [one] if same else second:
                results.setdefault(table.holds[one, other], []).append(other)
            for result, others in results.items():
                if result != usual:
                    reads = {(table.reads[0], one): 1.0}
                    if not same:
                        reads |= {(table.reads[1], other): 1.0 for other in others} | {("one", -1): -1.0}
                    neurons.append((reads, {(table.name, result): 1.0, (table.name, usual): -1.0}))
        return neurons

    def _of_counts(self, table: Table) -> list[tuple[dict[Any, float], dict[Any, float]]]:
        """One number tells all pairs of counts apart; a ramp leads from one result to the next."""
        share = 1 / (1 + np.arange(self.program.positions))
        same, ratio = table.reads[0] == table.reads[1], _ratio(share)
        pairs = {
            (one, one) if same else (one, other): share[one] if same else ratio * share[one] + share[other]
            for one in range(len(share))
            for other in ([one] if same else range(len(share)))
        }
        ordered = sorted(pairs, key=pairs.__getitem__)
        axes = {(table.reads[0], -1): 1.0} if same else {(table.reads[0], -1): ratio, (table.reads[1], -1): 1.0}
        neurons: list[Any] = [({("one", -1): 1.0}, {(table.name, table.holds[ordered[0]]): 1.0})]
        for before, after in pairwise(ordered):
            old, new = table.holds[before], table.holds[after]
            if old != new:
                steep = 2 / (pairs[after] - pairs[before])
                start, end = (pairs[before] * w + pairs[after] * (1 - w) for w in (0.75, 0.25))
                for threshold, sign in ((start, 1.0), (end, -1.0)):
                    reads = {axis: steep * weight for axis, weight in axes.items()} | {("one", -1): -steep * threshold}
                    neurons.append((reads, {(table.name, new): sign, (table.name, old): -sign}))
        return neurons


def _ratio(share: np.ndarray) -> float:
    """The weight of the first of two counts for which all pairs lie furthest apart."""

    def gap(ratio: float) -> float:
        sums = np.sort((ratio * share[:, None] + share).ravel())
        return np.diff(sums).min() / (ratio + 1)

    return max(np.concatenate([np.geomspace(1.01, 200, 4000)]), key=gap)


def _is_count(part: Head | Table) -> bool:
    return isinstance(part, Head) and part.value is None


def edges(weights: dict[str, np.ndarray], config: dict[str, Any]) -> list[tuple[str, str]]:
    """Every sender and every receiver behind it that share an axis of the stream, by the weights that are not zero."""
    embedding = (weights["transformer.wte.weight"] != 0).any(0) | (weights["transformer.wpe.weight"] != 0).any(0)
    senders, found, size = [("embed", embedding)], [], config["head_dim"]
    for layer in range(config["num_hidden_layers"]):
        part, before = f"transformer.h.{layer}", list(senders)
        for head in range(config["num_attention_heads"]):
            rows = slice(head * size, (head + 1) * size)
            for name in "qkv":
                read = (weights[f"{part}.attn.{name}_proj.weight"][rows] != 0).any(0)
                found += [(sender, f"{name}{layer}.{head}") for sender, wrote in before if (wrote & read).any()]
            senders.append((f"a{layer}.{head}", (weights[f"{part}.attn.out_proj.weight"][:, rows] != 0).any(1)))
        read = (weights[f"{part}.mlp.c_fc.weight"] != 0).any(0)
        found += [(sender, f"m{layer}") for sender, wrote in senders if (wrote & read).any()]
        senders.append((f"m{layer}", (weights[f"{part}.mlp.c_proj.weight"] != 0).any(1)))
    read = (weights["lm_head.weight"] != 0).any(0)
    return found + [(sender, "logits") for sender, wrote in senders if (wrote & read).any()]
