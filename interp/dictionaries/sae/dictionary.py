"""A dictionary: a sparse autoencoder of sae-lens, and what it says of where it belongs."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from interp.core.errors import DictionaryError
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.hook_names import site_of
from interp.models.hooked import HookedModel
from interp.models.sites import SITES, Site
from interp.models.sources import official_name

if TYPE_CHECKING:
    from sae_lens import SAE

# Where a LayerNorm has centred.
_NORM_OUTPUTS = ("embed_ln_out", "ln1_out", "ln2_out", "mlp_in", "ln_final_out", "unembed_in")


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A sparse autoencoder as sae-lens has it. `attach` ties it to a model."""

    sae: "SAE[Any]"
    name: str

    @property
    def features(self) -> int:
        """How many features it has."""
        return self.sae.cfg.d_sae

    @property
    def width(self) -> int:
        """How many numbers it reads."""
        return self.sae.cfg.d_in

    @property
    def architecture(self) -> str:
        """How it chooses the features that are active, as sae-lens calls it."""
        return self.sae.cfg.architecture()

    @property
    def model_name(self) -> str:
        """The model that it was trained on, as its file says; empty if it does not."""
        return self.sae.cfg.metadata.model_name or ""

    @property
    def hook_name(self) -> str:
        """The place that it was trained on, as its file says; empty if it does not."""
        return self.sae.cfg.metadata.hook_name or ""

    def __repr__(self) -> str:
        place = f" at {self.hook_name} of {self.model_name}" if self.hook_name else ""
        return f"Dictionary({self.name!r}: {self.architecture}, {self.features:,} features of {self.width}{place})"

    def attach(self, model: HookedModel, *, site: Site | None = None, any_model: bool = False) -> Attached:
        """Tie it to its site on `model`, in the model's precision and on its device.

        `site` takes another place of the same width; `any_model` a model of another name than the file says.
        Raises: DictionaryError if it does not belong there: another model, site, width, or way to prepare the model.
        """
        place = site or site_of(self.hook_name)
        if place is None:
            fault = (
                f"is at {self.hook_name!r}, which is not a supported site"
                if self.hook_name
                else "does not state its hook"
            )
            raise DictionaryError(
                f"{self.name} {fault}; add the hook_name of a site to its config, or pass a site such as Site('z', 5) "
                "to attach in Python"
            )
        obstacle = (
            model.edit_obstacle(place) or self._other_model(model, any_model) or self._other_weights(model, place)
        )
        obstacle = obstacle or self._other_width(model, place)
        if obstacle:
            raise DictionaryError(f"{self.name} cannot be attached: {obstacle}")
        return Attached(model, place, deepcopy(self.sae).to(model.device, model.dtype), self.name)

    def _other_model(self, model: HookedModel, any_model: bool) -> str | None:
        if any_model or trained_on(model, self.sae.cfg.metadata.to_dict()):
            return None
        return (
            f"it was trained on {self.model_name or 'other weights'}, not on {model.name}; load that model, or if "
            "the weights are the same pass any_model=True to attach in Python"
        )

    def _other_weights(self, model: HookedModel, site: Site) -> str | None:
        """Whether it was trained on a model prepared so that the site held other numbers than here."""
        settings = self.sae.cfg.metadata.model_from_pretrained_kwargs or {}
        axes = SITES[site.name].axes.split()
        writes = "d_model" in axes and site.name not in _NORM_OUTPUTS
        if settings.get("center_writing_weights") and model.architecture.norm == "layer" and writes:
            return f"it was trained with center_writing_weights=True, but {site} is not centred in this model"
        has_bias = (
            site.name in ("v", "z", "head_out") and model.weights.projection("v", site.layer or 0).bias is not None
        )
        if settings.get("fold_value_biases") and has_bias:
            return f"it was trained with fold_value_biases=True, but {site} of this model includes the value biases"
        return None

    def _other_width(self, model: HookedModel, site: Site) -> str | None:
        there = width_of(model, site)
        if there is None:
            return f"{site} has axes {SITES[site.name].axes}, but a dictionary needs one vector per position"
        return (
            None
            if there == self.width
            else (f"it expects {self.width} dimensions, but {site} of {model.name} has {there}")
        )


def width_of(model: HookedModel, site: Site) -> int | None:
    """How many numbers a site holds at a position; None where it does not hold one vector a position."""
    sizes, axes = model.dims.axes, SITES[site.name].axes.split()
    if axes[:2] != ["batch", "pos"] or not set(axes[2:]) <= set(sizes):
        return None
    return prod(sizes[axis] for axis in axes[2:])


def trained_on(model: HookedModel, metadata: Mapping[str, Any]) -> bool:
    """Whether a dictionary's metadata speak of this model, or of none.

    Those that were trained here name the weights and their precision. Weights that are loaded in another precision are
    other numbers with another hash: then, as where no weights are named, the model's name decides.
    """
    weights, name, dtype = (metadata.get(key) for key in ("weight_hash", "model_name", "model_dtype"))
    if not weights:
        return not name or official_name(name) == official_name(model.name)
    return weights == model.weight_hash or (bool(dtype) and dtype != precision_of(model) and name == model.name)


def precision_of(model: HookedModel) -> str:
    """The precision of a model's weights as metadata have it: `float32`."""
    return str(model.dtype).removeprefix("torch.")
