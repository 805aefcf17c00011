"""Contextual decomposition against its definition, which carries β and γ side by side through loops."""

import pytest
import torch
from asking import covering, prompts_for, some
from configurations import EVERY_MAP
from plain_transformer import divisor, plain, rotated, softmax_row, walk
from tiny import FAMILIES
from torch.testing import assert_close

import interp
from interp.core.errors import EngineError, OptionError, SiteError, TargetError
from interp.core.metric import Metric
from interp.decomposition.contextual import (
    ContextualSettings,
    SourceSet,
    SourceVisitor,
    Start,
    _share,
    beta_of_answer,
    stabilised,
)
from interp.models import Site

EVERY = some("family", EVERY_MAP, always=FAMILIES)
EACH = covering(("family", EVERY_MAP), ("attention", ["frozen", "split"]))
# Hugging Face computes these families' norms or softmax in float32 whatever the weights are.
CLOSE = dict.fromkeys(EVERY_MAP, 1e-4) | dict.fromkeys(("gpt2", "bert-classifier", "bert-masked"), 1e-9)
SETS = ("a1.3+m0", "token 1", "tokens 0:2+a1.0")


class Contextual:
    """The rules of CD-T on a list of two parts, β and γ."""

    def __init__(self, attention):
        self.attention = attention

    def linear(self, parts, matrix, bias):
        beta, gamma = (part @ matrix for part in parts)
        if bias is None:
            return [beta, gamma]
        share = beta.abs() / (beta.abs() + gamma.abs())
        share = torch.where(share.isnan(), 0.0, share)
        return [beta + bias * share, gamma + bias * (1 - share)]

    def norm(self, parts, norm):
        scale, out = divisor(norm, sum(parts)), []
        size = sum(part.abs() for part in parts)
        for index, part in enumerate(parts):
            value = (part - part.mean(-1, keepdim=True) if norm.centred else part) / scale * norm.weight
            if norm.bias is not None:
                rest = 1.0 if index else 0.0
                value = value + norm.bias * torch.where(size > 0, part.abs() / size, rest)
            out.append(value)
        return out

    def act(self, parts, function):
        beta, gamma = parts
        return [function(beta + gamma) - function(gamma), function(gamma)]

    def product(self, gate, up):
        half = (gate[0] * up[1] + gate[1] * up[0]) / 2
        return [gate[0] * up[0] + half, gate[1] * up[1] + half]

    def head(self, model, layer, parts, head):
        query, key, value = (self.linear(parts, *getattr(layer, name)[head]) for name in "qkv")
        if layer.q_norm:
            query, key = self.norm(query, layer.q_norm), self.norm(key, layer.k_norm)
        query, key = ([rotated(part, layer.rope) for part in side] for side in (query, key))
        beta, gamma = [], []
        for pos in range(len(parts[0])):
            total = softmax_row(sum(query)[pos], sum(key), pos, layer, model.causal)
            part = softmax_row(query[0][pos], key[0], pos, layer, model.causal)
            weights = total if self.attention == "frozen" else part
            beta.append(sum(weights[j] * value[0][j] for j in range(len(weights))))
            gamma.append(sum(total[j] * sum(value)[j] for j in range(len(weights))) - beta[-1])
        return [torch.stack(beta), torch.stack(gamma)]

    def output(self, layer, z, parts, heads):
        matrix = torch.cat(layer.o)
        return self.linear([part.flatten(1) for part in z], matrix, layer.o_bias)


def positions_of(prompt, metric):
    return 0 if metric.positions is None else metric.positions[0]


def by_definition(checkpoint, family, prompt, metric, attention, starts, seen=None):
    """β and γ of the logits at the answer, from sources {site: places} that start less their mean."""

    def see(name, layer, parts):
        if seen is not None:
            seen[name, layer] = parts
        if (name, layer) not in starts:
            return parts
        beta, gamma = parts[0].clone(), parts[1].clone()
        total, places = beta + gamma, starts[name, layer]
        value = total - total.mean(0)
        index = (slice(None), places) if name in ("z", "expert_write") else places
        beta[index], gamma[index] = value[index], (total - value)[index]
        return [beta, gamma]

    model = plain(checkpoint, family, prompt.tokens[0])
    parts = [torch.zeros_like(model.embed), model.embed]
    return walk(model, parts, Contextual(attention), positions_of(prompt, metric), see)


STARTS = {
    "a0.1": {("z", 0): [1]},
    "a1.3+m0": {("z", 1): [3], ("mlp_out", 0): slice(None)},
    "token 1": {("resid_pre", 0): [1]},
    "tokens 0:2+a1.0": {("resid_pre", 0): [0, 1], ("z", 1): [0]},
}


@EACH
def test_sources_are_the_definitions(tiny, checkpoint, family, attention):
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    result = interp.attribution.cdt_sources(model, prompt, sources=SETS, attention=attention)
    for name in SETS:
        logits = by_definition(checkpoint, family, prompt, prompt.metric, attention, STARTS[name])
        beta, gamma = (prompt.metric.of_rows(part[None]) for part in logits)
        found = result.data.sel(batch=0, component=name)
        close = CLOSE[family] * max(1.0, float(beta.abs()))
        assert found.beta.item() == pytest.approx(beta.item(), abs=close)
        assert found.gamma.item() == pytest.approx(gamma.item(), abs=close)
        assert found.relevance.item() == found.beta.item()


@EACH
def test_tokens_are_the_definitions(tiny, checkpoint, family, attention):
    """One token after another: all that enters at its position is β, the others are γ."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[1]]
    result = interp.attribution.cdt(model, prompt, attention=attention)
    bare = plain(checkpoint, family, prompt.tokens[0])
    for at in range(prompt.width):
        own = torch.zeros_like(bare.embed)
        own[at] = bare.embed[at]
        logits = walk(bare, [own, bare.embed - own], Contextual(attention), positions_of(prompt, prompt.metric))
        expected = prompt.metric.of_rows(logits[0][None]).item()
        found = result.data.relevance.values[0, at]
        assert found == pytest.approx(expected, abs=CLOSE[family] * max(1.0, abs(expected)))


@EACH
def test_every_site_is_beta_and_gamma(tiny, checkpoint, family, attention):
    """β of the walk is the definition's, whose β and γ add up to what the model holds, at every site."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    how = ContextualSettings(attention == "frozen", mean=True, stabilise=False, batch_tokens=64)
    totals = how.totals(model, prompt, prompt.metric)
    sources = [SourceSet("m0", (Start(Site("mlp_out", 0)),))]
    walked = how.walk(model, totals, sources)
    ours: dict = {}
    enter = SourceVisitor(totals, sources, how)

    def look(site, parts, rows):
        parts = enter(site, parts, rows)
        ours[site.name, site.layer] = parts[0]
        return parts

    walked.visit = look
    stream = totals("resid_pre", 0).new_zeros(1, prompt.width, model.dims.d_model)
    for layer in range(model.dims.layers):
        stream = walked.layer(layer, stream)
    seen: dict = {}
    by_definition(checkpoint, family, prompt, prompt.metric, attention, {("mlp_out", 0): slice(None)}, seen)
    sites = [key for key in seen if key in ours]
    assert {name for name, _ in sites} >= {"z", "attn_out", "mlp_out", "resid_post"}
    for name, layer in sites:
        if (name, layer) == ("mlp_out", 0):
            continue  # seen before the source was put there
        beta, gamma = seen[name, layer]
        scale = max(1.0, float(beta.abs().max()))
        assert_close(ours[name, layer], beta, atol=CLOSE[family] * scale, rtol=0, msg=f"{name}[{layer}]")
        held = totals(name, layer)
        assert_close(beta + gamma, held, atol=min(CLOSE[family], 1e-5) * 10, rtol=1e-6)
        assert_close(ours[name, layer] + (held - ours[name, layer]), held, atol=1e-9, rtol=0)


@EVERY
def test_beta_and_gamma_are_the_metric(tiny, family):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data = interp.attribution.cdt_sources(model, prompts, sources=("a0.1", "m1+a2.2")).data
    expected = prompts.metric(model.logits(prompts)).numpy()[:, None]
    assert_close((data.beta + data.gamma).values, expected + 0 * data.beta.values, atol=1e-9, rtol=0)


@EVERY
def test_many_sources_at_once_are_each_alone(tiny, family):
    """Batched together, one by one, and in passes that mix first layers; each joins where it starts."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    every = interp.attribution.cdt_sources(model, prompt).data
    assert every.sizes["component"] == 12
    for batch_tokens in (1, 5 * prompt.width):
        again = interp.attribution.cdt_sources(model, prompt, batch_tokens=batch_tokens).data
        assert_close(again.beta.values, every.beta.values, atol=1e-10, rtol=1e-10)
    alone = interp.attribution.cdt_sources(model, prompt, sources=("a1.2",)).data
    assert_close(alone.beta.values[0, 0], every.beta.sel(component="a1.2").values[0], atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("stream", ["pre", "parallel"])
def test_work_below_a_source_is_not_done(tiny, monkeypatch, stream):
    """Twelve heads share one plain run, and are carried through 4 · (3 + 2 + 1) layers of the 12 · 3."""
    from interp.decomposition.walk import Totals, Walk

    model = tiny("llama" if stream == "pre" else "gptneox", "float64")
    carried, runs = [], []
    layer, start = Walk.layer, Totals.__init__
    monkeypatch.setattr(
        Walk, "layer", lambda self, index, parts, *rows: carried.append(len(parts)) or layer(self, index, parts, *rows)
    )
    monkeypatch.setattr(Totals, "__init__", lambda self, *a, **k: runs.append(1) or start(self, *a, **k))
    interp.attribution.cdt_sources(model, prompts_for(model, "llama")[[0]])
    assert sum(carried) == 4 * (3 + 2 + 1)
    assert len(runs) == 1


@EVERY
def test_a_node_downstream(tiny, checkpoint, family):
    """Σ_t ‖β_t‖₁ / ‖γ_t‖₁ of one head's values and of one MLP's output."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    for target, site, pick in (("a2.1", ("z", 2), 1), ("m1", ("mlp_out", 1), None)):
        result = interp.attribution.cdt_sources(model, prompt, sources=("a0.1",), target_node=target)
        seen: dict = {}
        by_definition(checkpoint, family, prompt, prompt.metric, "frozen", STARTS["a0.1"], seen)
        beta, gamma = (part if pick is None else part[:, pick] for part in seen[site])
        expected = sum((b.abs().sum() / g.abs().sum()).item() for b, g in zip(beta, gamma, strict=True))
        assert result.data.relevance.item() == pytest.approx(expected, rel=max(CLOSE[family], 1e-9))
        assert result.data.beta.item() == pytest.approx(beta.abs().sum().item(), rel=max(CLOSE[family], 1e-9))


def test_a_node_needs_no_question_and_the_logits_do(tiny):
    model = tiny("llama")
    asked = prompts_for(model, "llama")[[0]]
    silent = interp.attribution.cdt_sources(model, asked.texts[0], target_node="m2", sources=("m0",)).data
    assert (
        silent.relevance.item()
        == interp.attribution.cdt_sources(model, asked, target_node="m2", sources=("m0",)).data.relevance.item()
    )
    with pytest.raises(TargetError, match="give a target"):
        interp.attribution.cdt_sources(model, asked.texts[0])


def test_by_default_every_head_upstream_of_the_target(tiny):
    def heads(family, target):
        model = tiny(family)
        return interp.attribution.cdt_sources(
            model, prompts_for(model, family), target_node=target
        ).data.component.values

    assert list(heads("llama", "a1.0")) == ["a0.0", "a0.1", "a0.2", "a0.3"]
    assert len(heads("llama", "m1")) == 8
    assert len(heads("gptneox", "m1")) == 4  # side by side: an MLP does not read its own layer's heads


def test_a_bias_with_nothing_to_split_it_by_goes_to_gamma():
    """0 / 0: the naive form loses the whole bias; here β + γ is the total whatever the parts are."""
    part, total = torch.tensor([0.0, 0.0, 2.0, -1.0]), torch.tensor([0.0, 3.0, 2.0, 1.0])
    assert_close(_share(part, total), torch.tensor([0.0, 0.0, 1.0, 1 / 3]))


def test_the_stabiliser_gives_the_larger_the_sum():
    part, total = torch.tensor([2.0, -1.0, 1.0, 3.0, -3.0]), torch.tensor([1.0, 4.0, 3.0, -1.0, -1.0])
    # rest: −1, 5, 2, −4, 2
    assert_close(stabilised(part, total), torch.tensor([1.0, 0.0, 1.0, 0.0, -1.0]))


def test_the_stabiliser_bounds_every_part(tiny):
    """With it on, |β| never exceeds the activation at a stabilised site, and the numbers change."""
    model = tiny("gpt2", "float64")
    prompt = prompts_for(model, "gpt2")[[0]]
    on, off = (interp.attribution.cdt(model, prompt, stabilise=stabilise).data for stabilise in (True, False))
    assert abs(on.relevance - off.relevance).max() > 1e-3
    assert_close(on.ledger.sum("entry").values, on.total.values, atol=1e-9, rtol=0)


def test_all_that_a_source_is(tiny):
    """Not less its mean: the last layer's MLP writes straight to the answer, as direct logit attribution has it."""
    model = tiny("llama", "float64")
    prompt = prompts_for(model, "llama")[[0]]
    direct = interp.readout.direct_logit_attribution(model, prompt).data.contribution
    found = interp.attribution.cdt_sources(model, prompt, sources=("m2", "a2.3+m2"), less_mean=False).data
    assert found.beta.values[0, 0] == pytest.approx(direct.sel(component="m2").item(), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"sources": ("",)}, OptionError, "empty source set"),
        ({"sources": ("a1.1+",)}, OptionError, "empty source set"),
        ({"sources": ("tokens 3:3",)}, OptionError, "empty source set"),
        ({"sources": ("tokens 0:8",)}, OptionError, "is everything (all 8 tokens)"),
        ({"sources": ("tokens 0:4+tokens 4:8+a1.1",)}, OptionError, "is everything"),
        ({"sources": ("+".join([f"a{i}.{h}+m{i}" for i in range(3) for h in range(4)]),)}, OptionError, "every head"),
        ({"sources": ("tokens 7:9",)}, OptionError, "outside a prompt of 8 tokens"),
        ({"sources": ("tokens",)}, OptionError, "names no tokens"),
        ({"sources": ("a3.0",)}, SiteError, "has no node a3.0"),
        ({"sources": ("a0.4",)}, SiteError, "has no node a0.4"),
        ({"sources": ("x3",)}, SiteError, "is not a node"),
        ({"target_node": "m9"}, SiteError, "has no node m9"),
        ({"target_node": "a0.1"}, OptionError, "no head is upstream of the target a0.1"),
        ({"sources": ("a1.1",), "target_node": "a1.2"}, OptionError, "a1.2 is not downstream of a1.1"),
        ({"sources": ("m1",), "target_node": "m1"}, OptionError, "m1 is not downstream of m1"),
    ],
)
def test_bad_sources_are_one_clear_line(tiny, options, error, says):
    model = tiny("llama")
    with pytest.raises(error) as caught:
        interp.attribution.cdt_sources(model, prompts_for(model, "llama")[[0]], **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_finite_is_named_by_its_first_site(checkpoint):
    model = interp.load(str(checkpoint("gpt2")))
    model.bridge.blocks[1].mlp.out.original_component.weight.data[0, 0] = float("nan")
    prompt = prompts_for(model, "gpt2")[[0]]
    for engine in (interp.attribution.cdt, interp.attribution.cdt_sources, interp.attribution.decompx):
        with pytest.raises(EngineError, match=r"first NaN or infinity at mlp_out\[1\]"):
            engine(model, prompt)


@pytest.mark.parametrize("engine", ["cdt", "cdt_sources", "decompx"])
def test_what_is_not_treated_is_refused_by_name(tiny, monkeypatch, engine):
    model = tiny("llama")
    monkeypatch.setattr(model.config, "final_logit_softcapping", 30.0, raising=False)
    with pytest.raises(EngineError, match="soft cap"):
        getattr(interp.attribution, engine)(model, prompts_for(model, "llama"))


def test_only_logits_split(tiny):
    model = tiny("llama")
    prompt = prompts_for(model, "llama")[[0]]
    metric = Metric.of(model, " Mary", positions=prompt.answer_positions(model), scale="logprob")
    for engine in (interp.attribution.cdt, interp.attribution.cdt_sources, interp.attribution.decompx):
        with pytest.raises(EngineError, match="decomposes logits, not a logprob"):
            engine(model, prompt, metric=metric)


def test_beta_of_the_answer_is_linear_in_the_last_head(tiny):
    """A head of the last layer reaches the logits through norms and matrices alone: half of it brings half."""
    model = tiny("llama", "float64")
    prompt = prompts_for(model, "llama")[[0]]
    how = ContextualSettings(True, mean=False, stabilise=False, batch_tokens=64)
    totals = how.totals(model, prompt, prompt.metric)
    whole = beta_of_answer(model, totals, prompt.metric, [SourceSet("m2", (Start(Site("mlp_out", 2)),))], how)
    totals._values[Site("mlp_out", 2)] = totals("mlp_out", 2) / 2
    half = beta_of_answer(model, totals, prompt.metric, [SourceSet("m2", (Start(Site("mlp_out", 2)),))], how)
    assert_close(half * 2, whole, atol=1e-12, rtol=1e-12)
