"""From a RASP expression to weights, named axes and the circuit, by tracr's own passes. Needs the extra `groundtruth`.

tracr's public function throws its bases away and builds the weights in haiku; this takes its passes one by one, and
reads weights, axes and circuit off what they made.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from tracr.compiler import (  # pyright: ignore[reportMissingImports]
    basis_inference,
    craft_graph_to_model,
    expr_to_craft_graph,
    nodes,
    rasp_to_graph,
    validating,
)
from tracr.craft import bases, transformers, vectorspace_fns  # pyright: ignore[reportMissingImports]
from tracr.rasp import causal_eval, rasp  # pyright: ignore[reportMissingImports]

from interp.core.errors import ModelError
from interp.groundtruth.rasp import EXPRESSIONS
from interp.models.word_tokenizer import BOS, PAD
from interp.tasks.programs import Program, Value, written

SHARPNESS = {"categorical": 10.0, "numerical": 100.0}  # of logits, which the program leaves at 0 and 1 or at a number

MOST_WEIGHTS = 30_000_000


@dataclass
class Compiled:
    """A program as weights, by the parameters of `interp.models.compiled`.

    `axes` names what each axis of the stream holds, `edges` every sender and receiver that share an axis,
    `selectors` what each head selects.
    """

    program: Program
    config: dict[str, Any]
    weights: dict[str, np.ndarray]
    vocabulary: list[str]
    axes: list[str]
    edges: list[tuple[str, str]]
    selectors: dict[str, dict[str, Any]]
    expression: Any


def compile_program(program: Program) -> Compiled:
    """Compile one program. Raises: ModelError for an expression that tracr cannot compile."""
    rasp.RASPExpr._ids = itertools.count(1)  # they name axes: the same whatever was compiled before
    expression = EXPRESSIONS[program.name]().named(program.name)
    faults = validating.static_validate(expression)
    if faults:
        raise ModelError(f"{program.name} cannot be compiled: {faults[0].expr.name}: {faults[0].reason}; reword it")
    graph = rasp_to_graph.extract_rasp_graph(expression)
    basis_inference.infer_bases(graph.graph, graph.sink, set(program.symbols) | set(program.start), program.longest)
    return assembled(program, [*program.symbols, *program.start], expression, graph)


def assembled(program: Program, symbols: Sequence[Value], expression: Any, graph: Any) -> Compiled:
    """The weights for a graph whose bases are known; `symbols` are the tokens as the graph has them."""
    bos = bases.BasisDirection(rasp.tokens.label, BOS)
    expr_to_craft_graph.add_craft_components_to_rasp_graph(graph.graph, bos_dir=bos, mlp_exactness=100)
    craft = craft_graph_to_model.craft_graph_to_model(graph.graph, graph.sources)
    return _Assembly(program, symbols, expression, graph, craft).compiled()


def require_evaluated(compiled: Compiled) -> None:
    """Raises: ModelError if RASP's own evaluator gives something else than the program's plain definition."""
    program = compiled.program
    evaluate = causal_eval.evaluate if program.causal else rasp.evaluate
    for tokens in program.inputs():
        wanted, outputs = program.function(tokens), evaluate(compiled.expression, list(tokens))
        if any(not _is_same(one, other) for one, other in zip(wanted, outputs, strict=True)):
            raise ModelError(f"RASP gives {outputs} for {tokens}, not {wanted}; mend the expression of {program.name}")


def _is_same(value: Value, output: Any) -> bool:
    return abs(value - output) < 1e-9 if isinstance(value, Fraction) else value == output


class _Assembly:
    """The weights of a craft model, in one residual space."""

    def __init__(self, program: Program, symbols: Sequence[Value], expression: Any, graph: Any, craft: Any) -> None:
        self.program, self.expression = program, expression
        self.nodes, self.sink = graph.graph.nodes, graph.sink
        values = [*symbols, BOS, PAD]
        self.tokens = bases.VectorSpaceWithBasis.from_values(rasp.tokens.label, values)
        self.indices = bases.VectorSpaceWithBasis.from_values(rasp.indices.label, range(program.longest))
        self.output = bases.VectorSpaceWithBasis(self.sink[nodes.OUTPUT_BASIS])
        self.space = bases.join_vector_spaces(craft.residual_space, self.tokens, self.indices, self.output)
        self.layers = _layers(craft.blocks)
        heads = [head for attention, _ in self.layers for head in attention]
        self.heads = max([len(attention) for attention, _ in self.layers])
        self.d_head = max([max(head.w_qk.matrix.shape[1], head.w_ov.matrix.shape[1]) for head in heads], default=1)
        self.d_mlp = max([mlp.fst.output_space.num_dims for _, mlp in self.layers if mlp is not None], default=1)

    def compiled(self) -> Compiled:
        """Weights, names and circuit."""
        vocabulary = self._vocabulary()
        config = {
            "architectures": ["CompiledForCausalLM"],
            "bos_token_id": 0,
            "head_dim": self.d_head,
            "hidden_size": self.space.num_dims,
            "intermediate_size": self.d_mlp,
            "is_causal": self.program.causal,
            "max_position_embeddings": self.program.longest + 1,
            "model_type": "compiled",
            "num_attention_heads": max(self.heads, 1),
            "num_hidden_layers": len(self.layers),
            "pad_token_id": 1,
            "program": self.program.name,
            "vocab_size": len(vocabulary),
        }
        sizes = 4 * max(self.heads, 1) * self.d_head + 2 * self.d_mlp
        if (count := len(self.layers) * self.space.num_dims * sizes) > MOST_WEIGHTS:
            raise ModelError(
                f"{self.program.name} needs {count:,} weights, more than {MOST_WEIGHTS:,}; make it smaller"
            )
        weights = self._embeddings(vocabulary) | self._unembedding(vocabulary)
        for layer, (attention, mlp) in enumerate(self.layers):
            weights |= {f"transformer.h.{layer}.{name}": each for name, each in self._attention(attention).items()}
            weights |= {f"transformer.h.{layer}.{name}": each for name, each in self._mlp(mlp).items()}
        weights = {name: np.ascontiguousarray(each, np.float32) for name, each in weights.items()}
        about = (self._axes(), self._edges(), self._selectors())
        return Compiled(self.program, config, weights, vocabulary, *about, self.expression)

    # Names

    def _vocabulary(self) -> list[str]:
        inputs = [written(value) for value in (*self.program.start, *self.program.symbols)]
        return [BOS, PAD, *dict.fromkeys([*inputs, *map(written, self._outputs())])]

    def _outputs(self) -> list[Any]:
        """The values of the output: those of its axes, or of a numeric one those that it takes."""
        if rasp.is_categorical(self.sink[nodes.EXPR]):
            return [each.value for each in self.output.basis]
        values = set(self.program.outputs)
        values = values or {value for tokens in self.program.inputs() for value in self.program.function(tokens)}
        return sorted(value for value in values if value is not None)

    def _axes(self) -> list[str]:
        """`variable=value`, and the variable alone where an axis holds a number."""
        plain = lambda label: re.sub(r"_\d+$", "", label)  # noqa: E731
        labels = Counter(plain(label) for label in {each.name for each in self.space.basis})
        self.names = {each.name: plain(each.name) if labels[plain(each.name)] == 1 else each.name
                      for each in self.space.basis}  # fmt: skip
        return [self._axis(each) for each in self.space.basis]

    def _axis(self, direction: Any) -> str:
        name, value = self.names[direction.name], direction.value
        return name if value is None else f"{name}={_text(value)}"

    # Weights, each as a torch Linear has it: output, input

    def _in(self, space: Any) -> np.ndarray:
        """From the stream to a subspace."""
        return vectorspace_fns.project(self.space, space).matrix

    def _embeddings(self, vocabulary: list[str]) -> dict[str, np.ndarray]:
        tokens = np.zeros((len(vocabulary), self.space.num_dims))
        for each in self.tokens.basis:
            tokens[vocabulary.index(written(each.value)), self.space.basis.index(each)] = 1
        one = bases.BasisDirection("one")
        if one in self.space.basis:
            read = [vocabulary.index(written(each.value)) for each in self.tokens.basis]
            tokens[read, self.space.basis.index(one)] = 1
        places = np.concatenate([np.zeros((1, self.space.num_dims)), self._in(self.indices).T])
        return {"transformer.wte.weight": tokens, "transformer.wpe.weight": places}

    def _unembedding(self, vocabulary: list[str]) -> dict[str, np.ndarray]:
        """A value's logit is its axis; of a number x the one nearest to it wins: 2vx − v² is x² − (x − v)²."""
        matrix, bias = np.zeros((len(vocabulary), self.space.num_dims)), np.zeros(len(vocabulary))
        categorical = rasp.is_categorical(self.sink[nodes.EXPR])
        sharpness = SHARPNESS["categorical" if categorical else "numerical"]
        if categorical:
            for each in self.output.basis:
                matrix[vocabulary.index(written(each.value)), self.space.basis.index(each)] = sharpness
        else:
            axis, rows = self.space.basis.index(self.output.basis[0]), []
            for value in self._outputs():
                rows.append(vocabulary.index(written(value)))
                matrix[rows[-1], axis], bias[rows[-1]] = 2 * sharpness * value, -sharpness * Fraction(value) ** 2
            others = np.setdiff1d(np.arange(len(vocabulary)), rows)
            bias[others] = -10 * sharpness  # no token that is no value of the output is an answer
        return {"lm_head.weight": matrix, "lm_head.bias": bias}

    def _attention(self, heads: list[Any]) -> dict[str, np.ndarray]:
        count, d_model = max(self.heads, 1), self.space.num_dims
        q, k, v, o = (np.zeros((count, self.d_head, d_model)) for _ in "qkvo")
        for index, head in enumerate(heads):
            queries, keys = self._in(head.w_qk.left_space) @ head.w_qk.matrix, self._in(head.w_qk.right_space)
            values, out = self._in(head.w_ov.input_space) @ head.w_ov.matrix, self._in(head.w_ov.output_space)
            for into, matrix in ((q, queries), (k, keys), (v, values), (o, out)):
                into[index, : matrix.shape[1]] = matrix.T
        joined = {"q_proj": q, "k_proj": k, "v_proj": v, "out_proj": o}
        flat = {name: each.reshape(-1, d_model) for name, each in joined.items()}
        flat["out_proj"] = flat["out_proj"].T
        return {f"attn.{name}.weight": each for name, each in flat.items()}

    def _mlp(self, mlp: Any | None) -> dict[str, np.ndarray]:
        read, write = (np.zeros((self.d_mlp, self.space.num_dims)) for _ in range(2))
        if mlp is not None:
            width = mlp.fst.output_space.num_dims
            read[:width] = (self._in(mlp.fst.input_space) @ mlp.fst.matrix).T
            write[:width] = mlp.snd.matrix @ self._in(mlp.snd.output_space).T
        return {"mlp.c_fc.weight": read, "mlp.c_proj.weight": write.T}

    # The circuit

    def _selectors(self) -> dict[str, dict[str, Any]]:
        """What each head selects: the variables of its keys and queries, and the keys' values for each query's value.

        `counts`: its head attends to BOS too, so that the share of BOS tells how many keys are selected.
        """
        by_output = {}
        for node in list(self.nodes.values()):
            expression = node[nodes.EXPR]
            if isinstance(expression, rasp.SelectorWidth):
                by_output[f"{expression.label}_selector_width_attn_output"] = expression
            elif isinstance(expression, rasp.Aggregate):
                by_output[expression.label] = expression
        selectors = {}
        for layer, (attention, _) in enumerate(self.layers):
            for index, head in enumerate(attention):
                expression = by_output[head.w_ov.output_space.basis[0].name]
                selector = expression.selector
                keys, queries = (self.nodes[each.label] for each in (selector.keys, selector.queries))
                pairs = {
                    _text(query.value): [
                        _text(key.value)
                        for key in keys[nodes.OUTPUT_BASIS]
                        if selector.predicate(key.value, query.value)
                    ]
                    for query in queries[nodes.OUTPUT_BASIS]
                }
                selectors[f"a{layer}.{index}"] = {
                    "name": selector.name,
                    "keys": self.names[selector.keys.label],
                    "queries": self.names[selector.queries.label],
                    "counts": isinstance(expression, rasp.SelectorWidth),
                    "selected": {query: selected for query, selected in pairs.items() if selected},
                }
        return selectors

    def _edges(self) -> list[tuple[str, str]]:
        """Every sender and every receiver behind it that share an axis, by the bases of the compiler's blocks."""
        one = {bases.BasisDirection("one")} & set(self.space.basis)
        senders = [("embed", {*self.tokens.basis, *self.indices.basis, *one})]
        edges = []
        for layer, (attention, mlp) in enumerate(self.layers):
            before = list(senders)
            for index, head in enumerate(attention):
                read = {
                    "q": _used(head.w_qk.left_space, head.w_qk.matrix, 0),
                    "k": _used(head.w_qk.right_space, head.w_qk.matrix, 1),
                    "v": _used(head.w_ov.input_space, head.w_ov.matrix, 0),
                }
                for name, axes in read.items():
                    edges += [(sender, f"{name}{layer}.{index}") for sender, wrote in before if wrote & axes]
                senders.append((f"a{layer}.{index}", _used(head.w_ov.output_space, head.w_ov.matrix, 1)))
            if mlp is not None:
                axes = _used(mlp.fst.input_space, mlp.fst.matrix, 0)
                edges += [(sender, f"m{layer}") for sender, wrote in senders if wrote & axes]
                senders.append((f"m{layer}", _used(mlp.snd.output_space, mlp.snd.matrix, 1)))
        return edges + [(sender, "logits") for sender, wrote in senders if wrote & set(self.output.basis)]


def _text(value: Any) -> str:
    return written(value) if isinstance(value, bool) else str(value)


def _used(space: Any, matrix: np.ndarray, axis: int) -> set[Any]:
    """The directions of a space whose rows (axis 0) or columns (1) of a matrix are not all zero."""
    return {each for each, used in zip(space.basis, (matrix != 0).any(1 - axis), strict=True) if used}


def _layers(blocks: list[Any]) -> list[tuple[list[Any], Any | None]]:
    """Heads and MLP of every layer: attention before the MLP, either of them empty where the blocks have it so."""
    layers: list[tuple[list[Any], Any | None]] = []
    for block in blocks:
        if isinstance(block, transformers.MLP):
            if not layers or layers[-1][1] is not None:
                layers.append(([], None))
            layers[-1] = (layers[-1][0], block)
        else:
            layers.append((list(block.as_multi().heads()), None))
    return layers
