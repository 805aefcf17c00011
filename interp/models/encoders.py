"""Encoders as data: what the bridge's adapter for BERT needs to know to serve those that are built like it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from transformer_lens.model_bridge.generalized_components import LinearBridge, NormalizationBridge, UnembeddingBridge
from transformer_lens.model_bridge.supported_architectures.bert import BertArchitectureAdapter

_MASKED = {"mlm_post": "ln_final.hook_in"}
_CLASSIFIER = {"pooler_post": "unembed.hook_in", "unembed_in": ""}
_DISTILBERT = {
    "blocks": "distilbert.transformer.layer", "token_type_embed": "",
    "ln1": "sa_layer_norm", "ln2": "output_layer_norm",
    "q": "q_lin", "k": "k_lin", "v": "v_lin", "o": "out_lin", "in": "ffn.lin1", "out": "ffn.lin2",
}  # fmt: skip


@dataclass(frozen=True)
class Encoder:
    """The module that holds the layers, those of the head, and the layers' where their names are not BERT's ("": none).

    `activation` is that of the dense layer before a classifier's head.
    """

    trunk: str
    head: dict[str, str]
    modules: dict[str, str] = field(default_factory=dict)
    activation: str = "tanh"

    @property
    def sites(self) -> dict[str, str]:
        """The hooks of its head's sites that differ from the common table."""
        return _CLASSIFIER if "pooler" in self.head else _MASKED

    def adapter(self) -> type[BertArchitectureAdapter]:
        """The bridge's adapter for BERT, with the names of this encoder."""
        encoder = self

        class EncoderAdapter(BertArchitectureAdapter):
            def prepare_model(self, hf_model: Any) -> None:
                for name in ("mlm_head", "ln_final", "unembed"):
                    self.components.pop(name)
                for name, path in encoder.head.items():
                    self.components[name] = _component(name, path, self.cfg)
                for owner, name, component in list(_walk(self.components)):
                    path = encoder.modules.get(name, component.name)
                    if path == "":
                        owner.pop(name)
                    elif path is not None:
                        component.name = f"{encoder.trunk}.{path[5:]}" if path.startswith("bert.") else path

        return EncoderAdapter


def _component(name: str, path: str, cfg: Any) -> Any:
    if name == "ln_final":
        return NormalizationBridge(name=path, config=cfg, use_native_layernorm_autograd=True)
    return UnembeddingBridge(name=path) if name == "unembed" else LinearBridge(name=path)


def _walk(components: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, Any]]:
    for name, component in components.items():
        yield components, name, component
        yield from _walk(component.submodules)


def _masked(dense: str, norm: str, unembed: str) -> dict[str, str]:
    return {"mlm_head": dense, "ln_final": norm, "unembed": unembed}


def _classifier(dense: str, unembed: str) -> dict[str, str]:
    return {"pooler": dense, "unembed": unembed}


_PREDICTIONS = "cls.predictions.transform"
_CLASSIFIER_HEAD = _classifier("classifier.dense", "classifier.out_proj")

# By the class of the model; all of these see ahead.
ENCODERS: dict[str, Encoder] = {
    "BertForMaskedLM": Encoder(
        "bert", _masked(f"{_PREDICTIONS}.dense", f"{_PREDICTIONS}.LayerNorm", "cls.predictions.decoder")
    ),
    "BertForSequenceClassification": Encoder("bert", _classifier("bert.pooler.dense", "classifier")),
    "RobertaForMaskedLM": Encoder("roberta", _masked("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder")),
    "RobertaForSequenceClassification": Encoder("roberta", _CLASSIFIER_HEAD),
    "ElectraForMaskedLM": Encoder(
        "electra", _masked("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head")
    ),
    "ElectraForSequenceClassification": Encoder("electra", _CLASSIFIER_HEAD, activation="gelu"),
    "DistilBertForMaskedLM": Encoder(
        "distilbert", _masked("vocab_transform", "vocab_layer_norm", "vocab_projector"), _DISTILBERT
    ),
    "DistilBertForSequenceClassification": Encoder(
        "distilbert", _classifier("pre_classifier", "classifier"), _DISTILBERT, "relu"
    ),
}
