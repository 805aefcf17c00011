"""Relevance rules: every recipe against its definition, the ledger, and what a run leaves behind."""

import dataclasses
from math import log

import numpy as np
import pytest
import torch
from asking import covering, prompts_for
from attribution.lrp_by_definition import Propagation
from tiny import FAMILIES, byte_pair_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

import interp
from interp import attribution
from interp.core.metric import Metric
from interp.core.prompts import Prompts
from interp.decomposition.relevance.rules import Recipe

EVERY = pytest.mark.parametrize("family", FAMILIES)
LATENT = ("stream", "heads", "neurons", "pairs")
# float64 throughout in Hugging Face; the others compute RMSNorm or the softmax in float32 whatever the weights are, and
# the definition does not.
EXACT = ("gpt2", "bert-classifier", "bert-masked")
BIAS_FREE = ("llama", "gemma3", "qwen3")

ATTNLRP = Recipe("freeze", "half", "identity", "half")
CP_LRP = Recipe("freeze", "values", "identity", "up")
GIM = Recipe("freeze", "half", softmax_temperature=2.0)
# Engine, its options, and the rules that it should follow.
RECIPES = {
    "attnlrp": ("attnlrp", {}, ATTNLRP),
    "attnlrp ε": ("attnlrp", {"epsilon": 0.003}, dataclasses.replace(ATTNLRP, epsilon=0.003)),
    "cp-lrp": ("cp_lrp", {}, CP_LRP),
    "cp-lrp ε": ("cp_lrp", {"epsilon": 0.05}, dataclasses.replace(CP_LRP, epsilon=0.05)),
    "gradient-x-input": ("gradient_x_input", {}, Recipe()),
    "gim": ("gim", {}, GIM),
    "gim, zero": ("gim", {"baseline": "", "temperature": 0.7}, dataclasses.replace(GIM, softmax_temperature=0.7)),
}


def _mixture(seed):
    random = np.random.default_rng(seed)
    chosen = {
        "norm": random.choice(["freeze", "gradient"]),
        "attention": random.choice(["half", "values", "gradient"]),
        "activation": random.choice(["identity", "gradient"]),
        "product": random.choice(["half", "up", "gradient"]),
    }
    options = {name: str(value) for name, value in chosen.items()} | {"epsilon": float(random.choice([0, 0.02]))}
    return "lrp", options, Recipe(**options)


MIXTURES = {f"mixture {seed}": _mixture(seed) for seed in range(2)}


def run(model, family, recipe, prompts=None, **more):
    """The named engine's data and the rules it follows; skipped where it says that it does not support the model."""
    name, options, rules = (RECIPES | MIXTURES)[recipe]
    spec = getattr(attribution, name)
    if spec.obstacle(model) is not None:
        pytest.skip(spec.obstacle(model))
    prompts = prompts_for(model, family) if prompts is None else prompts
    return spec(model, prompts, **(options | more)).data, rules


def ledger(data, row):
    """The entries of one prompt, without the tokens and the remainder."""
    entries = zip(data["at"].values, data["term"].values, data["ledger"].values[row], strict=True)
    return {(at, term): value for at, term, value in entries if term not in ("tokens", "remainder")}


def assert_same_ledger(found, expected, **close):
    for entry in found.keys() | expected.keys():
        np.testing.assert_allclose(found.get(entry, 0), expected.get(entry, 0), **close, err_msg=str(entry))


def assert_is(data, row, definition, layers, **close):
    """One prompt's relevance, latent relevance and ledger are the definition's."""
    width = len(definition.tokens)
    near = lambda found, expected: np.testing.assert_allclose(found, expected.numpy(), **close)  # noqa: E731
    assert (data["relevance"].values[row, width:] == 0).all()
    for layer in layers:
        near(data["stream"].values[row, layer, :width], definition.stream(layer))
        near(data["heads"].values[row, layer, :, :width], definition.heads(layer))
        near(data["neurons"].values[row, layer], definition.neurons(layer))
        near(data["pairs"].values[row, layer, :, :width, :width], definition.pairs[layer])


def assert_adds_up(data, close):
    """Tokens and what was absorbed below a layer are the stream's relevance there; with all the rest, the target."""
    np.testing.assert_allclose(data["remainder"], 0, atol=close)
    np.testing.assert_allclose(data["ledger"].sum("entry"), data["total"], atol=1e-12)
    for row in range(data.sizes["batch"]):
        entries = ledger(data, row)
        so_far = data["relevance"].values[row].sum() + sum(x for (at, _), x in entries.items() if at == "input")
        for layer in range(data.sizes["layer"]):
            so_far += sum(x for (at, _), x in entries.items() if at == f"layer {layer}")
            np.testing.assert_allclose(so_far, data["stream"].values[row, layer].sum(), atol=close, rtol=close)
        so_far += sum(x for (at, _), x in entries.items() if at == "output")
        np.testing.assert_allclose(so_far, data["total"].values[row], atol=close)


# Against the definition


# In this order, every recipe meets a family in a row that always runs and that its engine supports.
@covering(("recipe", RECIPES | MIXTURES), ("family", reversed(FAMILIES)))
def test_agrees_with_the_definition(family, recipe, tiny):
    """Tokens, stream, heads, neurons, pairs and the ledger's every entry, for a padded batch of two; and it adds up."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data, rules = run(model, family, recipe, latent=LATENT)
    assert_adds_up(data, 1e-9)
    close = dict.fromkeys(("atol", "rtol"), 1e-9 if family in EXACT else 1e-5)
    for row in range(2):
        prompt = prompts[[row]]
        definition = Propagation(model, prompt, rules)
        total = definition.explain_answer(prompt.metric)
        np.testing.assert_allclose(data["total"].values[row], total, **close)
        tokens = definition.tokens
        if recipe == "gim":
            space = model.weights.embedding(torch.tensor(model.encode_continuation(" ")))[0]
            tokens = definition.tokens_against(space)
            definition.ledger["input", "baseline"] = (definition.tokens - tokens).sum().item()
        np.testing.assert_allclose(data["relevance"].values[row, : prompt.width], tokens, **close)
        assert_is(data, row, definition, definition.layers, **close)
        assert_same_ledger(ledger(data, row), definition.ledger, **close)


@pytest.mark.parametrize("scale", ["logprob", "prob"])
@pytest.mark.parametrize("family", ["gpt2", "bert-classifier", "bert-masked"])
def test_the_scale_of_the_answer(family, scale, tiny):
    """The softmax that makes probabilities of the logits has its entry, beside biases and ε of the unembedding."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    if scale == "logprob":  # the difference of two is that of their logits
        prompts = dataclasses.replace(prompts, metric=dataclasses.replace(prompts.metric, contrasts=None))
    data, rules = run(model, family, "attnlrp ε", prompts, scale=scale)
    assert data["relevance"].attrs["unit"] == {"logprob": "nats", "prob": "probability"}[scale]
    for row in range(2):
        prompt = prompts[[row]]
        definition = Propagation(model, prompt, rules)
        total = definition.explain_answer(dataclasses.replace(prompt.metric, scale=scale))
        np.testing.assert_allclose(data["total"].values[row], total, atol=1e-12)
        np.testing.assert_allclose(data["relevance"].values[row, : prompt.width], definition.tokens, atol=1e-12)
        assert_same_ledger(ledger(data, row), definition.ledger, atol=1e-12)
        np.testing.assert_allclose(data["remainder"].values[row], 0, atol=1e-12)
        assert abs(ledger(data, row)["output", "softmax"]) > 1e-6


PLACES = {
    "mlp_post[1]@-1.5": ("mlp_post", 1, (-1, 5)),
    "mlp_pre[1]@-1.7": ("mlp_pre", 1, (-1, 7)),
    "resid_post[1]@1": ("resid_post", 1, (1,)),
    "attn_out[2]@-1.3": ("attn_out", 2, (-1, 3)),
    "z[1]@-1.2": ("z", 1, (-1, 2)),
    "q[1]@-1.1.3": ("q", 1, (-1, 1, 3)),
    "k[1]@0.1.3": ("k", 1, (0, 1, 3)),
    "v[2]@1.0": ("v", 2, (1, 0)),
    "embed@1.4": ("embed", None, (1, 4)),
}


MODELS_AND_RECIPES = [
    ("gpt2", "attnlrp"),
    ("gpt2", "cp-lrp ε"),
    ("gpt2", "gradient-x-input"),
    ("bert-masked", "cp-lrp"),
    ("llama", "gim, zero"),
]


@covering(("place", PLACES), ("family, recipe", MODELS_AND_RECIPES))
def test_a_place_inside_the_model(family, recipe, place, tiny):
    """A number or a vector at any place: also in front of a rule that would hold it constant or share it out."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    data, rules = run(model, family, recipe, explain=place, latent=LATENT)
    close = 1e-9 if family in EXACT else 2e-5
    for row in range(2):
        prompt = prompts[[row]]
        definition = Propagation(model, prompt, rules)
        total = definition.explain(*PLACES[place])
        np.testing.assert_allclose(data["total"].values[row], total, atol=close)
        np.testing.assert_allclose(data["relevance"].values[row, : prompt.width], definition.tokens, atol=close)
        assert_is(data, row, definition, definition.layers, atol=close)
        assert_same_ledger(ledger(data, row), definition.ledger, atol=close)
        np.testing.assert_allclose(data["remainder"].values[row], 0, atol=1e-12)


def test_a_rotated_query_is_explained_too(tiny):
    """It stands right in front of the rule for queries, which CP-LRP holds constant."""
    model = tiny("llama", "float64")
    prompts = prompts_for(model, "llama")
    data, rules = run(model, "llama", "cp-lrp", explain="rot_q[1]@-1.2")
    for row in range(2):
        definition = Propagation(model, prompts[[row]], rules)
        np.testing.assert_allclose(data["total"].values[row], definition.explain("rot_q", 1, (-1, 2)), atol=2e-5)
        tokens = data["relevance"].values[row, : len(definition.tokens)]
        np.testing.assert_allclose(tokens, definition.tokens, atol=2e-5)


@pytest.mark.parametrize("family", BIAS_FREE)
def test_cp_lrp_conserves_from_a_neuron(family, tiny):
    model = tiny(family, "float64")
    data, _ = run(model, family, "cp-lrp", explain="mlp_post[1]@-1.5")
    np.testing.assert_allclose(data["relevance"].sum("pos"), data["total"], atol=1e-12)
    assert (data["stream"].values[:, 1:] == 0).all()
    np.testing.assert_allclose(data["stream"].values[:, 0].sum(-1), data["total"], atol=1e-12)


def test_every_class_can_be_asked_for(tiny):
    model = tiny("bert-classifier", "float64")
    prompts = prompts_for(model, "bert-classifier")
    logits = model.logits(prompts)
    for number, name in enumerate(model.class_names):
        data = attribution.attnlrp(model, prompts, target=name).data
        np.testing.assert_allclose(data["total"], logits[:, number], atol=1e-12)
        np.testing.assert_allclose(data["remainder"], 0, atol=1e-12)


# Worked by hand


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """Two tokens, one head of width 2, and weights that leave every number small.

    Embeddings (3, 1) and (0, 4); LayerNorm makes them (1, −1) and (−1, 1), its divisors are 1 and 2. At the second
    token the query is −1 and the keys are −√2 ln 3 and +√2 ln 3, so the scores are ln 3 and −ln 3, the pattern 9/10 and
    1/10; the values are 10 and −10, so z = 8 and the stream is (8, 4). The final norm makes it (1, −1) with divisor 2,
    and the answer's logit is its first number: 1.
    """
    folder = tmp_path_factory.mktemp("by-hand")
    tokenizer = byte_pair_tokenizer()
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=2, n_layer=1, n_head=1, n_positions=8, layer_norm_epsilon=1e-14,
        bos_token_id=0, eos_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    plain = GPT2LMHeadModel(config).double().requires_grad_(False)
    for name, parameter in plain.named_parameters():
        parameter.fill_(1.0 if "ln_" in name and name.endswith("weight") else 0.0)
    block = plain.transformer.h[0].attn
    plain.transformer.wte.weight[5:7] = torch.tensor([[3.0, 1.0], [0.0, 4.0]])
    query, key, value = 0, 2, 4
    block.c_attn.weight[0, query] = 1.0
    block.c_attn.weight[0, key] = -(2**0.5) * log(3)
    block.c_attn.weight[0, value] = 10.0
    block.c_proj.weight[:] = torch.eye(2)
    plain.lm_head.weight[9, 0] = 1.0
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model = interp.load(str(folder), dtype="float64")
    prompts = Prompts.of_tokens(model, [[5, 6]])
    return model, dataclasses.replace(prompts, metric=Metric(((9,),), None, (1,), ("nine",), None))


def test_attnlrp_by_hand(by_hand):
    """The logit gives its two stream parts 2 and −1; of the 2, half goes to values (9/8, −1/8), half to the pattern.

    The softmax leaves each score 0.225 ln 3, a half of which is the query's, a half its key's.
    """
    data = attribution.attnlrp(*by_hand, latent=LATENT).data
    np.testing.assert_allclose(data["total"], [1], atol=1e-10)
    score = 0.225 * log(3)
    np.testing.assert_allclose(
        data["relevance"], [[9 / 8 + score / 2, -1 - 1 / 8 + score / 2 + 2 * score / 2]], atol=1e-10
    )
    assert_same_ledger(ledger(data, 0), {("layer 0", "softmax"): 1 - 2 * score}, atol=1e-10)
    np.testing.assert_allclose(data["heads"], [[[[0, 2]]]], atol=1e-10)
    np.testing.assert_allclose(data["pairs"], [[[[[0, 0], [9 / 4, -1 / 4]]]]], atol=1e-10)
    np.testing.assert_allclose(data["stream"], [[[0, 1]]], atol=1e-10)


def test_cp_lrp_by_hand(by_hand):
    """All of the 2 goes to the values: 9/4 and −1/4."""
    data = attribution.cp_lrp(*by_hand).data
    np.testing.assert_allclose(data["relevance"], [[9 / 4, -1 - 1 / 4]], atol=1e-10)
    assert_same_ledger(ledger(data, 0), {}, atol=1e-10)


def test_gradient_x_input_by_hand(by_hand):
    """A norm of two numbers has no slope: nothing passes the final one."""
    data = attribution.gradient_x_input(*by_hand).data
    np.testing.assert_allclose(data["relevance"], [[0, 0]], atol=1e-10)
    assert_same_ledger(ledger(data, 0), {("output", "norm"): 1}, atol=1e-10)


# Against Hugging Face


@EVERY
def test_gradient_x_input_is_autograds(family, checkpoint, tiny):
    """The plain model, loaded without any of our code, one prompt at a time."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    found = attribution.gradient_x_input(model, prompts).data["relevance"].values
    plain = FAMILIES[family].model.from_pretrained(checkpoint(family), dtype=torch.float64, attn_implementation="eager")
    plain.eval().requires_grad_(False)
    for row in range(2):
        prompt = prompts[[row]]
        embeddings = plain.get_input_embeddings()(prompt.tokens).requires_grad_()
        (gradient,) = torch.autograd.grad(prompt.metric(plain(inputs_embeds=embeddings).logits).sum(), embeddings)
        expected = (embeddings * gradient).sum(-1)[0].detach()
        close = 1e-9 if family in EXACT else 1e-5
        np.testing.assert_allclose(found[row, : prompt.width], expected, atol=close, rtol=close)


# The ledger


@pytest.mark.parametrize("recipe", ["attnlrp ε", "cp-lrp", "gradient-x-input", "gim"])
@EVERY
def test_the_ledger_adds_up_in_float32(family, recipe, tiny):
    data, _ = run(tiny(family), family, recipe)
    assert_adds_up(data, 1e-4)


@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-9), ("float32", 1e-4)])
@pytest.mark.parametrize("family", BIAS_FREE)
def test_cp_lrp_conserves_without_biases(family, dtype, close, tiny):
    data, _ = run(tiny(family, dtype), family, "cp-lrp")
    np.testing.assert_allclose(data["relevance"].sum("pos"), data["total"], atol=close)
    np.testing.assert_allclose(data["stream"].sum("pos"), data["total"].values[:, None].repeat(3, 1), atol=close)
    assert list(data["term"].values) == ["tokens", "remainder"]


@EVERY
def test_pairs_are_the_shares_of_a_head(family, tiny):
    data, _ = run(tiny(family, "float64"), family, "attnlrp", latent=("heads", "pairs"))
    pairs = data["pairs"].sum("key_pos").rename(query_pos="pos")
    close = 1e-12 if family in EXACT else 1e-5  # the pattern that multiplies the values is rounded to float32
    np.testing.assert_allclose(pairs.transpose(*data["heads"].dims), data["heads"], atol=close)


def test_an_epsilon_beyond_every_activation_takes_all(tiny):
    data, _ = run(tiny("llama", "float64"), "llama", "cp-lrp", epsilon=1e9)
    assert abs(data["relevance"]).max() < 1e-9
    for row in range(2):
        absorbed = sum(value for (_, term), value in ledger(data, row).items() if term == "epsilon")
        np.testing.assert_allclose(absorbed, data["total"].values[row], atol=1e-9)


# Precision


@covering(("family", FAMILIES), ("dtype, close", [("bfloat16", 0.25), ("float16", 0.1)]))
def test_half_precision_is_finite_and_near_float32(family, dtype, close, tiny):
    """Within what eight (or eleven) bits leave, relative to the largest; the ledger's remainder is a rounding too."""
    prompts = prompts_for(tiny(family), family)
    full, _ = run(tiny(family), family, "attnlrp ε", prompts, latent=LATENT)
    half, _ = run(tiny(family, dtype), family, "attnlrp ε", prompts, latent=LATENT)
    for name in ("relevance", *LATENT):
        assert np.isfinite(half[name]).all()
        largest = abs(full[name]).max().item()
        np.testing.assert_allclose(half[name], full[name], atol=close * largest, err_msg=name)
    # What the entries and the target themselves round to.
    size = abs(full["ledger"]).sum("entry").max().item()
    np.testing.assert_allclose(half["remainder"], 0, atol=0.1 * close * size)


@pytest.mark.real_model
@pytest.mark.parametrize("name", ["attnlrp", "cp_lrp"])
def test_the_default_model_is_reproducible_across_batches(name, real_model):
    """To 1e-4 of the largest value; and the ledger closes in float32."""
    engine = getattr(attribution, name)
    texts = ["The keys to the cabinet", "When Mary and John went to the store, John gave a drink to"]
    together = engine(real_model, texts, target=" Mary", contrast=" John").data
    alone = engine(real_model, texts[0], target=" Mary", contrast=" John").data
    found, expected = together["relevance"].values[0], alone["relevance"].values[0]
    np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-4 * abs(expected).max())
    assert (found[len(expected) :] == 0).all()
    np.testing.assert_allclose(together["remainder"], 0, atol=1e-4 * abs(together["ledger"]).sum("entry").max())
    if name == "cp_lrp":
        np.testing.assert_allclose(together["relevance"].sum("pos"), together["total"], atol=1e-3)
