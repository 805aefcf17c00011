"""The slope of activations and the stabiliser, against closed formulas in float64."""

import math

import pytest
import torch
from torch import nn
from transformers.activations import ACT2FN

from interp.decomposition.relevance.rules import stabilised
from interp.models.slope import slope

MAGNITUDES = [0.0, 1e-45, 1e-40, 1e-38, 1e-30, 1e-10, 6e-8, 1e-4, 0.1, 1.0, 3.0, 30.0]
POINTS = [sign * size for size in MAGNITUDES for sign in (1.0, -1.0)]


def silu_slope(x):
    return 1 / (1 + math.exp(-x))


def gelu_slope(x):
    """Φ(x), from the complementary error function: exact far below zero too."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def gelu_tanh_slope(x):
    """½ (1 + tanh u) = 1 / (1 + e^(−2u))."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 1 / (1 + math.exp(min(-2 * u, 700.0)))


def tanh_slope(x):
    return math.tanh(x) / x if x else 1.0


def relu_slope(x):
    """Differentiable nowhere at 0, where the gradient is taken as 0."""
    return 1.0 if x > 0 else 0.0


FORMULAS = {
    "silu": (ACT2FN["silu"], silu_slope),
    "gelu": (ACT2FN["gelu"], gelu_slope),
    "gelu_tanh": (ACT2FN["gelu_pytorch_tanh"], gelu_tanh_slope),
    "gelu_new": (ACT2FN["gelu_new"], gelu_tanh_slope),
    "tanh": (torch.tanh, tanh_slope),
    "relu": (nn.ReLU(), relu_slope),
}
# Relative to 1, as a slope is: what the dtype itself rounds, and what the library's own f(x) rounds in it.
CLOSE = {torch.float16: 6e-4, torch.bfloat16: 4e-3, torch.float32: 3e-7, torch.float64: 1e-15}


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("name", FORMULAS)
def test_slope_is_the_ratio_and_at_zero_its_limit(name, dtype):
    activation, formula = FORMULAS[name]
    x = torch.tensor(POINTS, dtype=dtype)
    found = slope(activation, x)
    assert found.dtype == dtype
    assert found.isfinite().all()
    expected = torch.tensor([formula(value) for value in x.double().tolist()], dtype=torch.float64)
    torch.testing.assert_close(found.double(), expected, atol=CLOSE[dtype], rtol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("name", FORMULAS)
def test_slope_times_x_is_the_activation(name, dtype):
    """The identity rule leaves the forward value as it was, at −1e-10 too."""
    x = torch.cat([torch.tensor(POINTS, dtype=dtype), torch.linspace(-8, 8, 401).to(dtype)])
    activation = FORMULAS[name][0]
    expected = activation(x.float() if dtype.itemsize < 4 else x)
    found = (x * slope(activation, x)).to(expected.dtype)
    torch.testing.assert_close(found, expected, atol=CLOSE[dtype], rtol=2 * CLOSE[dtype])


def test_slope_carries_no_graph():
    x = torch.randn(5, requires_grad=True)
    assert not slope(torch.tanh, x).requires_grad


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("epsilon", [1e-9, 0.003, 0.5])
def test_the_stabiliser_has_the_sign_of_z(dtype, epsilon):
    """z / (z + ε sign z), with sign 0 = 1; ε itself is not rounded, and nothing is 0 / 0 in half precision."""
    z = torch.tensor([0.0, -0.0, 1e-6, -1e-6, 0.25, -0.25, 70.0, -70.0], dtype=dtype)
    found = stabilised(z, epsilon)
    close = 1e-14 if dtype == torch.float64 else 1e-6
    expected = torch.tensor(
        [v / (v - epsilon if v < 0 else v + epsilon) for v in z.double().tolist()], dtype=torch.float64
    )
    torch.testing.assert_close(found.double(), expected, atol=close, rtol=close)
