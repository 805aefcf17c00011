"""`interp models check` sees what an engine does wrong."""

import dataclasses
from collections.abc import Callable

import pytest

from interp import engines
from interp.checks.exactness import Finding, check
from interp.core.engine import EngineSpec
from interp.models import HookedModel


def found(model: HookedModel, name: str, **changes) -> Finding:
    (finding,) = check(model, [dataclasses.replace(engines.find(name), **changes)])
    return finding


@pytest.mark.parametrize("family", ["llama", "bert-masked", "bert-classifier"])
def test_exact_or_refused(tiny: Callable[..., HookedModel], family: str) -> None:
    model = tiny(family, "float64")
    quick = ("attention", "logit-lens", "attnlrp", "activation-patching", "path-patching", "integrated-gradients")
    for finding in check(model, [engines.find(name) for name in quick]):
        obstacle = engines.find(finding.engine).obstacle(model)
        assert (finding.outcome, finding.reason) == (("refused", obstacle) if obstacle else ("exact", "")), finding


@pytest.mark.parametrize("name", engines.all_engines())
def test_in_bfloat16(tiny: Callable[..., HookedModel], name: str) -> None:
    """Every engine runs, as near as eight bits let it, or says what it does not do."""
    assert found(tiny("llama", "bfloat16"), name).outcome in ("exact", "refused", "not run")


def wrong(spec: EngineSpec, change) -> Callable:
    """The engine, whose result or model is changed."""

    def run(model, prompts, metric, options):
        result = spec.run(model, prompts, metric, options)
        return change(model, result) or result

    return run


def with_values(name: str, change) -> Callable:
    return lambda model, result: type(result)(result.data.assign({name: change(result.data[name])}))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("attention", with_values("attention", lambda v: v * 1.01), "rows sum to one to 1e-02"),
        ("logit-lens", with_values("top_logprob", lambda v: v - 0.5), "the last lens is the logits to 5e-01"),
        ("attnlrp", with_values("remainder", lambda v: v + 1), "remainder closes"),
        ("activation-patching", with_values("effect", lambda v: v * 1.1), "heads patched plainly"),
        ("path-patching", with_values("score", lambda v: v * 1.1), "an edge patched plainly"),
        ("ablation", with_values("clean", lambda v: v + v.sizes["batch"]), "a batch is its prompts to 1e+00"),
        ("ablation", lambda model, result: model.bridge.blocks[0].register_forward_hook(lambda *_: None) and None,
         "leaves hooks behind"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_seen(checkpoint, name: str, change, said: str) -> None:
    import interp

    finding = found(interp.load(str(checkpoint("llama")), dtype="float64"), name, run=wrong(engines.find(name), change))
    assert finding.outcome == "failed", finding
    assert said in finding.said


def test_what_raises_is_a_failure_and_what_is_lacking_is_not(tiny: Callable[..., HookedModel]) -> None:
    model = tiny("llama")

    def broken(model, prompts, metric, options):
        raise IndexError("out of range")

    assert found(model, "attention", run=broken).said == "IndexError: out of range"
    assert found(model, "attention", obstacle=lambda model: "has none").reason == "has none"
