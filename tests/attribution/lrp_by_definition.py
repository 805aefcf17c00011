"""Relevance propagation by the papers' own formulas: no gradient, one prompt, float64, one matrix at a time.

Every value of the forward pass is a node; every step adds to its inputs the relevance that its rule gives them, and to
the ledger what it gives to none. Rules are named as in `Recipe`:

- linear layers: R_i = Σ_j x_i W_ij R_j / (z_j + ε sign z_j), with the bias in z (Bach et al. 2015)
- residual sums: in proportion to what is added
- attention weights times values, queries times keys, gate times up: "half" ½ each (Achtibat et al. 2024, prop. 3.3)
- softmax, and whatever else is differentiated: R_i = x_i Σ_j ∂y_j/∂x_i R_j / y_j (the Taylor expansion, prop. 3.1)
- norms: the same with a matrix whose divisor is constant ("freeze"), or with the whole Jacobian ("gradient")
"""

from collections import defaultdict
from math import pi, sqrt

import torch
from torch import Tensor

from interp.models import Site

PARTS = {"half": (0.5, 0.5), "values": (0.0, 1.0), "up": (0.0, 1.0), "gradient": (1.0, 1.0)}


def _phi(x):
    return 0.5 * (1 + torch.erf(x / sqrt(2)))


def _gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))


def _gelu_tanh_slope(x):
    t = torch.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * sqrt(2 / pi) * (1 + 3 * 0.044715 * x**2)


# f and f'
GELU = lambda x: x * _phi(x), lambda x: _phi(x) + x * torch.exp(-(x**2) / 2) / sqrt(2 * pi)
GELU_TANH = _gelu_tanh, _gelu_tanh_slope
SILU = (
    lambda x: x / (1 + torch.exp(-x)),
    lambda x: 1 / (1 + torch.exp(-x)) * (1 + x * (1 - 1 / (1 + torch.exp(-x)))),
)
TANH = torch.tanh, lambda x: 1 - torch.tanh(x) ** 2
ACTIVATIONS = {"gelu": GELU, "gelu_new": GELU_TANH, "gelu_pytorch_tanh": GELU_TANH, "silu": SILU}


def _ratio(relevance, value):
    """R / z, where nothing of nothing is nothing."""
    return torch.where(relevance == 0, torch.zeros_like(value), relevance / value)


class Node:
    """A value of the forward pass, and the relevance that reached it."""

    def __init__(self, value: Tensor) -> None:
        self.value = value.double()
        self.relevance = torch.zeros_like(self.value)


class Propagation:
    """One prompt run forward; `explain_answer` or `explain` then fills `tokens`, `ledger` and `latent`."""

    def __init__(self, model, prompt, recipe, bare=()) -> None:
        """`bare` are the layers of a mixture of experts as bare matrices."""
        self.bare = bare
        self.model, self.recipe, self.config = model, recipe, model.config
        self.tokens = torch.zeros(prompt.width)
        self.ledger: dict[tuple[str, str], float] = defaultdict(float)
        self.nodes: dict[tuple[str, int | None], Node] = {}
        self.pairs: dict[int, Tensor] = {}
        self.steps = []
        self.layers = range(model.dims.layers)
        self._forward(prompt)

    # What is explained

    def explain_answer(self, metric) -> float:
        logits = self.nodes["logits", None]
        weights = torch.zeros_like(logits.value)
        weights[metric.targets[0][0]] += 1
        if metric.contrasts is not None:
            weights[metric.contrasts[0][0]] -= 1
        probs = logits.value.softmax(-1)
        total, slopes = {
            "logit": (weights @ logits.value, weights),
            "logprob": (weights @ logits.value.log_softmax(-1), weights - weights.sum() * probs),
            "prob": (weights @ probs, weights * probs - (weights @ probs) * probs),
        }[metric.scale]
        logits.relevance += logits.value * slopes
        self.ledger["output", "softmax"] += (total - logits.relevance.sum()).item()
        self._backward()
        return total.item()

    def explain(self, name, layer, index) -> float:
        """A number of a node, or the length of a vector: the vector times its own direction."""
        node = self.nodes[name, layer]
        chosen = node.value[index]
        part = chosen if chosen.dim() == 0 else chosen.flatten() ** 2 / chosen.norm()
        node.relevance[index] += part.reshape(chosen.shape)
        self._backward()
        return part.sum().item()

    def _backward(self) -> None:
        for step in reversed(self.steps):
            step()
        self.tokens = self.nodes["embed", None].relevance.sum(-1)
        for name, term in (("pos_embed", "position"), ("type_embed", "segment")):
            if (name, None) in self.nodes:
                self.ledger["input", term] += self.nodes[name, None].relevance.sum().item()

    def tokens_against(self, baseline: Tensor) -> Tensor:
        """Relevance of the embeddings' difference from a baseline."""
        embed = self.nodes["embed", None]
        return ((embed.value - baseline) * _ratio(embed.relevance, embed.value)).sum(-1)

    def stream(self, layer) -> Tensor:
        return self.nodes["resid_post", layer].relevance.sum(-1)

    def heads(self, layer) -> Tensor:
        return self.nodes["z", layer].relevance.sum(-1).T

    def neurons(self, layer) -> Tensor:
        return self.nodes["mlp_post", layer].relevance.sum(0)

    # The rules

    def linear(self, where, x: Node, matrix, bias) -> Node:
        matrix = matrix.double()
        bias = torch.zeros(matrix.shape[1], dtype=torch.float64) if bias is None else bias.double().flatten()
        z = Node(x.value @ matrix + bias)

        def step():
            sign = torch.where(z.value < 0, -1.0, 1.0).double()
            share = _ratio(z.relevance, z.value + self.recipe.epsilon * sign)
            x.relevance += x.value * (share @ matrix.T)
            self.ledger[where, "bias"] += (bias * share).sum().item()
            self.ledger[where, "epsilon"] += (z.relevance - z.value * share).sum().item()

        self.steps.append(step)
        return z

    def add(self, left: Node, right: Node) -> Node:
        total = Node(left.value + right.value)

        def step():
            share = _ratio(total.relevance, total.value)
            left.relevance += left.value * share
            right.relevance += right.value * share

        self.steps.append(step)
        return total

    def norm(self, where, x: Node, name, layer=None) -> Node:
        factor, shift = (None if part is None else part.double() for part in self.model.weights.norm(name, layer))
        centring, size = self.model.architecture.norm == "layer", x.value.shape[-1]
        names = ("rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps")
        eps = next(getattr(self.config, name) for name in names if hasattr(self.config, name))
        middle = torch.eye(size, dtype=torch.float64) - (1 / size if centring else 0)
        centred = x.value @ middle
        divisor = (centred.square().mean(-1, keepdim=True) + eps).sqrt()
        y = Node(centred / divisor * factor + (0 if shift is None else shift))

        def step():
            share = _ratio(y.relevance, y.value)
            # jacobian[..., i, j] = ∂y_j/∂x_i
            jacobian = middle * (factor / divisor).unsqueeze(-2)
            if self.recipe.norm == "gradient":
                outer = centred.unsqueeze(-1) * (centred * factor).unsqueeze(-2)
                jacobian = jacobian - outer / (size * divisor**3).unsqueeze(-1)
            given = x.value * (jacobian @ share.unsqueeze(-1)).squeeze(-1)
            x.relevance += given
            absorbed = 0 if shift is None else (shift * share).sum()
            self.ledger[where, "bias"] += float(absorbed)
            self.ledger[where, "norm"] += (y.relevance.sum() - given.sum() - absorbed).item()

        self.steps.append(step)
        return y

    def activation(self, where, x: Node, functions) -> Node:
        f, slope = functions
        y = Node(f(x.value))

        def step():
            given = y.relevance
            if self.recipe.activation == "gradient":
                given = x.value * slope(x.value) * _ratio(y.relevance, y.value)
            x.relevance += given
            self.ledger[where, "activation"] += (y.relevance - given).sum().item()

        self.steps.append(step)
        return y

    def product(self, where, gate: Node, up: Node) -> Node:
        y, (to_gate, to_up) = Node(gate.value * up.value), PARTS[self.recipe.product]

        def step():
            gate.relevance += to_gate * y.relevance
            up.relevance += to_up * y.relevance
            self.ledger[where, "product"] += ((1 - to_gate - to_up) * y.relevance).sum().item()

        self.steps.append(step)
        return y

    def rotation(self, x: Node, cos, sin) -> Node:
        y = Node(self.model.rotated(x.value[None], cos, sin)[0])

        def step():
            share = _ratio(y.relevance, y.value)
            basis = torch.eye(x.value.shape[-1], dtype=torch.float64)[None, None]
            for pos in range(len(x.value)):
                matrix = self.model.rotated(basis, cos[:, pos : pos + 1], sin[:, pos : pos + 1])[0, 0]
                x.relevance[pos] += x.value[pos] * (share[pos] @ matrix.T)

        self.steps.append(step)
        return y

    def attention(self, where, layer, query: Node, key: Node, value: Node) -> Node:
        heads, width = query.value.shape[1], query.value.shape[0]
        z, scale = Node(torch.zeros_like(query.value)), self.model.weights.attention_scale(layer)
        group, visible = heads // key.value.shape[1], self._visible(layer, width)
        scores = [scale * query.value[:, h] @ key.value[:, h // group].T for h in range(heads)]
        patterns = [s.masked_fill(~visible, -torch.inf).softmax(-1) for s in scores]
        for h in range(heads):
            z.value[:, h] = patterns[h] @ value.value[:, h // group]
        self.pairs[layer] = torch.zeros(heads, width, width, dtype=torch.float64)
        steps = [
            lambda h=h: self._through_head(where, layer, h, h // group, z, value, patterns[h], scores[h], query, key)
            for h in range(heads)
        ]
        self.steps.extend(steps)
        return z

    def _through_head(self, where, layer, h, of_group, z, value, pattern, scores, query, key) -> None:
        to_pattern, to_value = PARTS[self.recipe.attention]
        share, values = _ratio(z.relevance[:, h], z.value[:, h]), value.value[:, of_group]
        through = pattern * (share @ values.T)  # Σ_d A_qk v_kd R_qd / z_qd
        self.pairs[layer][h] = through
        of_values = to_value * values * (pattern.T @ share)
        value.relevance[:, of_group] += of_values
        of_pattern = to_pattern * through
        of_scores = torch.zeros_like(scores)
        for row in range(len(scores)):
            seen = pattern[row] > 0
            x, weights = scores[row, seen], pattern[row, seen]
            warm = (x / self.recipe.softmax_temperature).softmax(-1)
            jacobian = torch.diag(warm) - torch.outer(warm, warm)
            of_scores[row, seen] = x * (jacobian @ (of_pattern[row, seen] / weights))
        # A score is a product too: a half, all, or nothing to each of its factors.
        per_score, scale = _ratio(of_scores, scores), self.model.weights.attention_scale(layer)
        part = 0.5 if self.recipe.attention == "half" else 1.0
        of_query = part * scale * query.value[:, h] * (per_score @ key.value[:, of_group])
        of_key = part * scale * key.value[:, of_group] * (per_score.T @ query.value[:, h])
        query.relevance[:, h] += of_query
        key.relevance[:, of_group] += of_key
        kept = z.relevance[:, h].sum() - of_values.sum() - of_pattern.sum()
        kept += of_scores.sum() - of_query.sum() - of_key.sum()
        self.ledger[where, "product"] += kept.item()
        self.ledger[where, "softmax"] += (of_pattern.sum() - of_scores.sum()).item()

    def _visible(self, layer, width):
        visible = torch.ones(width, width, dtype=torch.bool)
        if self.model.is_causal:
            visible = visible.tril()
        kinds = getattr(self.config, "layer_types", None)
        if kinds and kinds[layer] == "sliding_attention":
            visible &= torch.ones(width, width, dtype=torch.bool).triu(1 - self.config.sliding_window)
        return visible

    def reshaped(self, x: Node, *shape) -> Node:
        y = Node(x.value.reshape(shape))
        self.steps.append(lambda: x.relevance.add_(y.relevance.reshape(x.value.shape)))
        return y

    def at(self, x: Node, pos) -> Node:
        y = Node(x.value[pos])
        self.steps.append(lambda: x.relevance[pos].add_(y.relevance))
        return y

    # The model

    def _forward(self, prompt) -> None:
        model = self.model
        embeddings = [Site(name) for name in ("pos_embed", "type_embed") if model.has(name)]
        turns = [site for name in ("rot_cos", "rot_sin") if model.has(name) for site in model.sites(name)]
        self.recorded = model.run(prompt, record=embeddings + turns)
        self.logits = self.recorded.logits  # the model's own, to compare with
        x = self.keep("embed", None, Node(model.weights.embedding(prompt.tokens[0])))
        for site in embeddings:
            x = self.add(x, self.keep(site.name, None, Node(self.recorded[site].expand(1, -1, -1)[0])))
        if model.has("embed_ln_in"):
            x = self.norm("input", x, "embed_ln")
        for layer in self.layers:
            x = self.keep("resid_post", layer, self._layer(layer, x))
        self.keep("logits", None, self._head(x, prompt))

    def keep(self, name, layer, node: Node) -> Node:
        self.nodes[name, layer] = node
        return node

    def _layer(self, layer, x: Node) -> Node:
        where, stream = f"layer {layer}", self.model.architecture.stream
        if stream == "post":
            x = self.norm(where, self.add(x, self._attend(layer, x)), "ln1", layer)
            return self.norm(where, self.add(x, self._mlp(layer, x)), "ln2", layer)
        attended = self._attend(layer, self.keep("ln1_out", layer, self.norm(where, x, "ln1", layer)))
        if stream == "parallel":
            return self.add(self.add(x, attended), self._mlp(layer, self.norm(where, x, "ln2", layer)))
        if stream == "sandwich":
            attended = self.norm(where, attended, "ln1_post", layer)
        x = self.add(x, attended)
        written = self._mlp(layer, self.norm(where, x, "ln2", layer))
        if stream == "sandwich":
            written = self.norm(where, written, "ln2_post", layer)
        return self.add(x, written)

    def _attend(self, layer, x: Node) -> Node:
        where, weights, width = f"layer {layer}", self.model.weights, len(x.value)
        heads = {}
        for name in "qkv":
            matrix, bias = weights.projection(name, layer)
            flat = self.linear(where, x, matrix.transpose(0, 1).flatten(1), bias)
            node = self.keep(name, layer, self.reshaped(flat, width, len(matrix), -1))
            if name != "v" and self.model.has(f"{name}_norm_in"):
                node = self.norm(where, node, f"{name}_norm", layer)
            if name != "v" and self.model.has("rot_cos"):
                turn = [self.recorded[Site(which, layer)].double() for which in ("rot_cos", "rot_sin")]
                node = self.keep(f"rot_{name}", layer, self.rotation(node, *turn))
            heads[name] = node
        z = self.keep("z", layer, self.attention(where, layer, *heads.values()))
        flat = self.reshaped(z, width, -1)
        return self.keep(
            "attn_out", layer, self.linear(where, flat, weights.output(layer).flatten(0, 1), weights.output_bias(layer))
        )

    def _mixture(self, layer, x: Node) -> Node:
        """Every expert apart; the router's weight is the gate of what each puts out."""
        where, mixture = f"layer {layer}", self.bare[layer]
        weights = self.router(where, x, mixture)
        posts, writes = [], []
        for index, expert in enumerate(mixture.experts):
            if expert is None:
                continue
            gate = self.activation(where, self.linear(where, x, *expert.pre), self._nonlinearity)
            post = self.product(where, gate, self.linear(where, x, *expert.up))
            out = self.linear(where, post, *expert.out)
            writes.append(self.weighted(where, weights, index, out, mixture))
            posts.append((index, post))
        self.nodes["experts", layer] = [(index, write) for (index, _), write in zip(posts, writes, strict=True)]
        total = writes[0]
        for write in writes[1:]:
            total = self.add(total, write)
        return total

    def router(self, where, x: Node, mixture) -> Node:
        """Weights by a function of each position, differentiated with the selection as it is."""
        function = lambda vector: torch.stack(mixture.weights(vector))  # noqa: E731
        weights = Node(torch.stack([function(vector) for vector in x.value]))

        def step():
            before = x.relevance.sum()
            for pos, vector in enumerate(x.value):
                jacobian = torch.autograd.functional.jacobian(function, vector)
                share = _ratio(weights.relevance[pos], weights.value[pos])
                x.relevance[pos] += vector * (share @ jacobian)
            absorbed = weights.relevance.sum() - (x.relevance.sum() - before)
            self.ledger[where, "router"] += absorbed.item()

        self.steps.append(step)
        return weights

    def weighted(self, where, weights: Node, index, out: Node, mixture) -> Node:
        write, (to_weight, to_out) = Node(weights.value[:, [index]] * out.value), PARTS[self.recipe.product]
        if index == mixture.constant:
            to_weight, to_out = 0.0, 1.0

        def step():
            weights.relevance[:, index] += to_weight * write.relevance.sum(-1)
            out.relevance += to_out * write.relevance
            self.ledger[where, "product"] += ((1 - to_weight - to_out) * write.relevance).sum().item()

        self.steps.append(step)
        return write

    def experts(self, layer) -> dict[int, Tensor]:
        return {index: write.relevance.sum(-1) for index, write in self.nodes["experts", layer]}

    def _mlp(self, layer, x: Node) -> Node:
        if self.bare:
            return self._mixture(layer, x)
        where, weights = f"layer {layer}", self.model.weights
        pre = self.keep("mlp_pre", layer, self.linear(where, x, *weights.mlp_pre(layer)))
        post = self.activation(where, pre, self._nonlinearity)
        up = weights.mlp_up(layer)
        if up is not None:
            post = self.product(where, post, self.keep("mlp_up", layer, self.linear(where, x, *up)))
        return self.linear(where, self.keep("mlp_post", layer, post), *weights.mlp_out(layer))

    @property
    def _nonlinearity(self):
        names = ("hidden_activation", "hidden_act", "activation_function")
        return ACTIVATIONS[next(getattr(self.config, name) for name in names if getattr(self.config, name, None))]

    def _head(self, x: Node, prompt) -> Node:
        model, weights = self.model, self.model.weights
        if model.is_classifier:
            x = self.linear("output", self.at(x, 0), *weights.pooler())
            x = self.activation("output", x, TANH)
        else:
            x = self.at(x, prompt.answer_positions(model)[0])
        if model.has("mlm_pre"):
            x = self.linear("output", x, *weights.mlm_transform())
            x = self.activation("output", x, self._nonlinearity)
        if model.has("ln_final_in"):
            x = self.norm("output", x, "ln_final")
        return self.linear("output", x, weights.unembedding(), weights.unembedding_bias())
