"""CKA against the U-statistic itself, over all four different tokens, and its invariants."""

from itertools import permutations

import numpy as np
import pytest
import torch
from reading import sentences, streams
from tiny import FAMILIES

from interp.core.errors import CorpusError, OptionError
from interp.corpus.kernels import u_centred
from interp.geometry import cka


def slow_hsic(x, y):
    """The mean over all four different tokens of k_ij (m_ij + m_qr − 2 m_iq): HSIC without bias, by definition."""
    k, m = x @ x.T, y @ y.T
    terms = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(len(x)), 4)]
    return sum(terms) / len(terms)


def song(x, y):
    """Song et al. 2012, equation 5."""
    n, one = len(x), np.ones(len(x))
    k, m = (a @ a.T * (1 - np.eye(n)) for a in (x, y))
    trace = (
        np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    )
    return trace / (n * (n - 3))


def test_the_estimate_is_unbiased_by_definition():
    """Also where a common offset would swallow the digits."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(7, 3)), random.normal(size=(7, 5))
    y[:, :3] += x
    expected = slow_hsic(x, y)
    assert song(x, y) == pytest.approx(expected)
    one, two = (u_centred(torch.from_numpy(a + shift)) for a, shift in ((x, 0.0), (y, 1e4)))
    assert float(one @ two) / (7 * 4) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_definition(family, tiny):
    """Prompts of different lengths, in one minibatch, and in two that share all prompts."""
    model, texts = tiny(family, "float64"), sentences(family, 4)
    at = streams(model, texts, 1)
    tokens = len(at[0])
    for batch, parts in ((512, 1), (tokens // 2, 2)):
        batches = [[x[start::parts] for x in at] for start in range(parts)]
        hsic = np.array([[sum(song(b[i], b[j]) for b in batches) for j in range(len(at))] for i in range(len(at))])
        found = cka(model, texts, batch=batch).values().values
        np.testing.assert_allclose(found, hsic / np.sqrt(np.outer(np.diag(hsic), np.diag(hsic))), atol=1e-9)
        np.testing.assert_allclose(np.diag(found), 1)


def test_invariant_to_rotation_scale_and_shift():
    random = np.random.default_rng(0)
    x = torch.from_numpy(random.normal(size=(40, 8)))
    turn = torch.linalg.qr(torch.from_numpy(random.normal(size=(8, 8))))[0]
    one, two = u_centred(x), u_centred(3 * x @ turn + 2)
    assert float(one @ two / (one.norm() * two.norm())) == pytest.approx(1)
    squeezed = u_centred(x @ torch.diag(torch.tensor([100.0, *[1] * 7], dtype=torch.float64)))
    assert float(one @ squeezed / (one.norm() * squeezed.norm())) < 0.8


def test_unrelated_streams_have_none_on_average():
    """Where the biased estimate would say more than a half."""
    made = torch.Generator().manual_seed(0)
    draws = [[u_centred(torch.randn(30, 40, generator=made).double()) for _ in range(2)] for _ in range(200)]
    found = [float(one @ two / (one.norm() * two.norm())) for one, two in draws]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))


def test_a_copy_is_no_second_sample(tiny):
    model, texts = tiny("llama"), sentences("llama", 3)
    np.testing.assert_array_equal(cka(model, [*texts, texts[0]]).values(), cka(model, texts).values())


def test_two_models(tiny, checkpoint):
    """A model and itself under another name; one of another family with the same tokens; one with other tokens."""
    model, texts = tiny("llama", "float64"), sentences("llama", 4)
    alone = cka(model, texts)
    same = cka(model, texts, other=str(checkpoint("llama")))
    np.testing.assert_allclose(same.values(), alone.values(), atol=1e-9)
    assert same.data.attrs["other_weight_hash"] == model.weight_hash
    assert cka(model, texts, other=str(checkpoint("gpt2"))).values().shape == (4, 4)
    with pytest.raises(OptionError, match="compare models of one tokenizer"):
        cka(model, texts, other=str(checkpoint("bert-masked")))


def test_too_few_tokens_are_refused(tiny):
    with pytest.raises(CorpusError, match="at least 4 are needed"):
        cka(tiny("llama"), "The keys")
