"""Architectures as data: where a family's sites differ from the common table, and what its norms and MLPs are.

To add a family: run `tests/models` over a tiny checkpoint of it; what fails names the sites that need a line here.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from interp.models.layer_map import LayerMap, Stream, layer_map

_GATED_SITES = {"mlp_pre": "{}.mlp.gate.hook_out", "mlp_up": "{}.mlp.in.hook_out"}
# The bridge has the router where the gate of an MLP is elsewhere; neurons are those of the experts.
_EXPERT_SITES = {"mlp_pre": "", "mlp_post": "", "mlp_out": "{}.mlp.hook_out"}
_NO_POST_NORM = {"attn_write": "{}.attn.o.hook_out", "mlp_write": "{}.mlp.out.hook_out"}


@dataclass(frozen=True)
class Architecture:
    """What distinguishes one family.

    `sites` replaces hooks of the common table ("" = the family has no such site). `stream` says how the residual stream
    is written (its `layer_map`): norms before each part ("pre"), also after it ("sandwich"), attention and MLP side by
    side ("parallel"), or norms on the stream itself ("post"). `listed` tells the families of the table from those of
    which this is only assumed.
    """

    family: str
    norm: Literal["rms", "layer"]
    stream: Stream
    gated: bool
    sites: dict[str, str] = field(default_factory=dict)
    listed: bool = True

    @property
    def unlisted(self) -> str | None:
        """Why an engine that needs to know the order of the layers' parts does not support it; None if it is known."""
        return (
            None
            if self.listed
            else (f"{self.family} is not in the table of architectures, so the structure of its layers is unknown")
        )

    @property
    def layer_map(self) -> LayerMap:
        """What stands between the stream, attention and the MLP of every layer."""
        return layer_map(self.stream)


_LLAMA = Architecture("llama", "rms", "pre", True, _GATED_SITES | _NO_POST_NORM)
_MIXTURE = replace(
    _LLAMA, family="mixture of experts", sites=_NO_POST_NORM | _EXPERT_SITES | {"mlp_write": "{}.mlp.hook_out"}
)
_GEMMA = Architecture("gemma", "rms", "sandwich", True, _GATED_SITES)
_BERT = Architecture(
    "bert",
    "layer",
    "post",
    False,
    {
        "resid_mid": "{}.ln1.hook_out",
        "ln1_out": "{}.ln1.hook_out",
    }
    | _NO_POST_NORM,
)

ARCHITECTURES: dict[str, Architecture] = {
    "LlamaForCausalLM": _LLAMA,
    "Qwen2ForCausalLM": _LLAMA,
    "Qwen3ForCausalLM": _LLAMA,
    "MistralForCausalLM": _LLAMA,
    "MixtralForCausalLM": _MIXTURE,
    "Qwen2MoeForCausalLM": _MIXTURE,
    "Qwen3MoeForCausalLM": _MIXTURE,
    "Gemma3ForCausalLM": _GEMMA,
    "GPT2LMHeadModel": Architecture("gpt2", "layer", "pre", False, _NO_POST_NORM),
    "GPTNeoXForCausalLM": Architecture("gptneox", "layer", "parallel", False, _NO_POST_NORM | {"resid_mid": ""}),
    "BertForMaskedLM": replace(_BERT, sites=_BERT.sites | {"mlm_post": "ln_final.hook_in"}),
    "BertForSequenceClassification": replace(
        _BERT, sites=_BERT.sites | {"pooler_post": "unembed.hook_in", "unembed_in": ""}
    ),
}


def architecture_of(class_name: str, *, gated: bool, rms: bool, parallel: bool, experts: bool) -> Architecture:
    """The table's entry, or for a family it lacks the common sites whose meaning no norm can change.

    `parallel` is what a family that may go either way (GPT-NeoX) says of itself.
    """
    architecture = ARCHITECTURES.get(class_name)
    if architecture is not None and architecture.stream == "parallel" and not parallel:
        return replace(architecture, stream="pre", sites=_NO_POST_NORM)
    if architecture is not None:
        return architecture
    # Where its norms stand is not known, so neither is what these would be.
    unknown = dict.fromkeys(("resid_mid", "attn_write", "mlp_write"), "")
    sites = unknown | (_EXPERT_SITES if experts else _GATED_SITES if gated else {})
    return Architecture(class_name, "rms" if rms else "layer", "pre", gated, sites, listed=False)
