"""Chefer et al.'s attribution against its definition: every rule in loops, gradients at the maps."""

import numpy as np
import pytest
import torch
from asking import prompts_for
from tiny import FAMILIES

from interp.attribution import chefer
from interp.attribution.backward.alpha_beta import quotient, through_linear, through_sum
from interp.models import Edit, Site

STEP = 1e-3


def linear(relevance, x, matrix):
    """Alpha 1, beta 0: every output's relevance goes to its positive terms, in proportion."""
    given = np.zeros_like(x)
    for place in range(len(x)):
        for out in range(matrix.shape[1]):
            terms = np.maximum(x[place] * matrix[:, out], 0)
            if terms.sum() > 0:
                given[place] += terms / terms.sum() * relevance[place, out]
    return given


def added(relevance, *terms):
    shares = [relevance * term / sum(terms) for term in terms]
    weights = [abs(share.sum()) for share in shares]
    return [
        share / share.sum() * weight / sum(weights) * relevance.sum()
        for share, weight in zip(shares, weights, strict=True)
    ]


def turning(cos, sin, size):
    """The rotation at one position as a matrix."""
    matrix, half = np.eye(size), len(cos) // 2
    for first in range(half):
        second = first + half
        matrix[first, first], matrix[first, second] = cos[first], -sin[first]
        matrix[second, first], matrix[second, second] = sin[second], cos[second]
    return matrix


class Definition:
    """One prompt, in plain loops."""

    def __init__(self, model, prompt):
        self.model, self.prompt, self.metric = model, prompt, prompt.metric
        self.dims, self.weights = model.dims, model.weights
        names = (
            "resid_pre resid_mid resid_post attn_write mlp_write pattern z v q k q_norm_out k_norm_out rot_cos rot_sin "
            "mlp_post ln1_out ln2_out"
        ).split()
        sites = [site for name in names if model.has(name) for site in model.sites(name)]
        sites += [Site(name) for name in ("ln_final_out", "pooler_post") if model.has(name)]
        self.trace = model.run(prompt, record=sites)
        self.answer = 0 if model.is_classifier else self.metric.positions[0]
        self.width, self.group = prompt.width, model.dims.heads // model.dims.kv_heads
        self.on_stream = model.architecture.stream == "post"

    def at(self, name, layer=None):
        return self.trace[Site(name, layer)][0].double().numpy()

    def start(self):
        rows = self.weights.unembedding().T
        direction = (rows[self.metric.targets[0][0]] - rows[self.metric.contrasts[0][0]]).numpy()[:, None]
        read = self.at("pooler_post") if self.model.is_classifier else self.at("ln_final_out")[self.answer]
        relevance = linear(np.ones((1, 1)), read[None], direction)
        last = self.at("resid_post", self.dims.layers - 1)
        if self.on_stream:
            head = self.weights.pooler() if self.model.is_classifier else self.weights.mlm_transform()
            relevance = linear(relevance, last[[self.answer]], head.matrix.numpy())
        stream = np.zeros_like(last)
        stream[self.answer] = relevance[0]
        return stream

    def mlp(self, layer, relevance):
        x = self.at("resid_mid" if self.on_stream else "ln2_out", layer)
        neurons = linear(relevance, self.at("mlp_post", layer), self.weights.mlp_out(layer).matrix.numpy())
        branches = [self.weights.mlp_pre(layer), self.weights.mlp_up(layer)]
        matrices = [branch.matrix.numpy() for branch in branches if branch is not None]
        return sum(linear(neurons / len(matrices), x, matrix) for matrix in matrices)

    def attention(self, layer, relevance):
        """Relevance of the map, and of what queries, keys and values read."""
        heads, z, v = self.dims.heads, self.at("z", layer), self.at("v", layer)
        output = self.weights.output(layer).numpy()
        of_z = linear(relevance, z.reshape(self.width, -1), np.concatenate(list(output))).reshape(z.shape)
        pattern = self.at("pattern", layer)
        of_pattern, of_v = np.zeros_like(pattern), np.zeros_like(v)
        for head in range(heads):
            for query in range(self.width):
                for d in range(v.shape[-1]):
                    terms = pattern[head, query] * v[:, head // self.group, d]
                    share = terms / terms.sum() * of_z[query, head, d] / 2
                    of_pattern[head, query] += share
                    of_v[:, head // self.group, d] += share
        of_q, of_k = self.scores(layer, of_pattern)
        x = self.at("resid_pre" if self.on_stream else "ln1_out", layer)
        read = np.zeros_like(x)
        for given, name in ((of_q, "q"), (of_k, "k"), (of_v, "v")):
            for head, matrix in enumerate(self.weights.projection(name, layer).matrix.numpy()):
                read += linear(given[:, head], x, matrix)
        return of_pattern, read

    def scores(self, layer, of_pattern):
        """Each score is a double sum over the query's and the key's dimensions, before they are turned."""
        normed = "_norm_out" if self.model.has("q_norm_out") else ""
        q, k = self.at("q" + normed, layer), self.at("k" + normed, layer)
        turn = [np.eye(q.shape[-1])] * self.width
        if self.model.has("rot_cos"):
            both = zip(self.at("rot_cos", layer), self.at("rot_sin", layer), strict=True)
            turn = [turning(cos, sin, q.shape[-1]) for cos, sin in both]
        of_q, of_k = np.zeros_like(q), np.zeros_like(k)
        for head, i, j in np.argwhere(of_pattern):
            terms = np.outer(q[i, head], k[j, head // self.group]) * (turn[i].T @ turn[j])
            share = terms / terms.sum() * of_pattern[head, i, j] / 2
            of_q[i, head] += share.sum(1)
            of_k[j, head // self.group] += share.sum(0)
        return of_q, of_k

    def gradient(self, layer):
        """The metric's gradient at the map itself, where the model uses an edited one."""
        if self.on_stream:
            return self.differences(layer)
        kept = []

        def keep(pattern):
            kept.append(pattern.detach().requires_grad_())
            return kept[0]

        run = self.model.run(self.prompt, edits=[Edit.through(Site("pattern", layer), keep)])
        (gradient,) = torch.autograd.grad(self.metric(run.logits), kept)
        return gradient[0].numpy()

    def differences(self, layer):
        """Every entry moved up and down a little, by moving what it weighs."""
        pattern, v = self.at("pattern", layer), self.trace[Site("v", layer)][0]
        entries = np.argwhere(pattern)
        rows = [0] * (2 * len(entries))
        moved = torch.zeros(len(rows), *self.trace[Site("z", layer)].shape[1:], dtype=torch.float64)
        for row, (head, query, key) in enumerate(entries):
            moved[row, query, head] = STEP * v[key, head]
            moved[row + len(entries), query, head] = -STEP * v[key, head]
        run = self.model.run(self.prompt[rows], edits=[Edit.add(Site("z", layer), moved)])
        up, down = self.metric.select(rows)(run.logits).numpy().reshape(2, -1)
        gradient = np.zeros_like(pattern)
        gradient[tuple(entries.T)] = (up - down) / (2 * STEP)
        return gradient

    def streams(self):
        """The answer's row out of each layer from the top down, and at last over the input."""
        relevance, row = self.start(), np.eye(self.width)[self.answer]
        rows = [row]
        for layer in reversed(range(self.dims.layers)):
            before, attention = self.at("resid_pre", layer), self.at("attn_write", layer)
            mlp = self.at("mlp_write", layer)
            if self.model.architecture.stream == "parallel":
                stays, of_attention, of_mlp = added(relevance, before, attention, mlp)
                stays = stays + self.mlp(layer, of_mlp)
            else:
                middle, of_mlp = added(relevance, self.at("resid_mid", layer), mlp)
                stays, of_attention = added(middle + self.mlp(layer, of_mlp), before, attention)
            of_pattern, read = self.attention(layer, of_attention)
            relevance = stays + read
            kept = np.maximum(self.gradient(layer) * of_pattern, 0).mean(0) + np.eye(self.width)
            rows.append(rows[-1] @ (kept / kept.sum(-1, keepdims=True)))
        return rows


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data = chefer(model, prompts, own_position=True).data
    # Differences take many runs: of BERT's prompts only the short one.
    for index in (0, 1) if model.is_causal else (1,):
        prompt = prompts[[index]]
        *streams, tokens = Definition(model, prompt).streams()
        found = data["relevance"].values[index]
        np.testing.assert_allclose(found[: prompt.width], tokens, atol=1e-7)
        np.testing.assert_allclose(data["stream"].values[index, :, : prompt.width], streams[::-1], atol=1e-7)
        assert (found[prompt.width :] == 0).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_shares_add_up_to_one_with_the_answers_own(family, tiny):
    model = tiny(family)
    prompts = prompts_for(model, family)
    data = chefer(model, prompts).data
    own = data["ledger"].values[:, list(data["term"].values).index("own position")]
    np.testing.assert_allclose(data["relevance"].sum("pos") + own, 1, atol=1e-12)
    np.testing.assert_allclose(data["remainder"], 0, atol=1e-12)
    assert (data["relevance"] >= 0).all()
    whole = chefer(model, prompts, own_position=True).data
    places = [0] * len(prompts) if model.is_classifier else prompts.answer_positions(model)
    for row, place in enumerate(places):
        assert data["relevance"].values[row, place] == 0
        assert whole["relevance"].values[row, place] == own[row]


def test_relevance_is_kept_by_every_rule():
    generator = torch.Generator().manual_seed(0)
    relevance, x, matrix, y = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((2, 3, 5), (2, 3, 7), (7, 5), (2, 3, 5))
    )
    torch.testing.assert_close(through_linear(relevance, x, matrix).sum((1, 2)), relevance.sum((1, 2)))
    shares = torch.stack(through_sum(relevance, y, y.flip(1), y.flip(2)))
    torch.testing.assert_close(shares.sum((0, 2, 3)), relevance.sum((1, 2)))


def test_zero_over_zero_is_zero():
    zero = torch.zeros(1, 2, 3, dtype=torch.float64)
    assert (quotient(zero + 1, zero) == 0).all()
    assert (through_linear(zero + 1, zero, torch.ones(3, 3)) == 0).all()
    assert all((share == 0).all() for share in through_sum(zero + 1, zero, zero))
