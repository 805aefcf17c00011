"""How a dictionary is trained: options, checked, and the same in sae-lens' terms."""

from dataclasses import fields
from math import ceil
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.errors import OptionError
from interp.core.options import Count, Index, Rate, Seed

Architecture = Literal["standard", "topk", "batchtopk", "jumprelu", "gated", "matryoshka"]

# What each takes besides what all take, with what stands there where nothing is given.
_OWN: dict[str, dict[str, float]] = {
    "standard": {"l1": 1.0},
    "gated": {"l1": 1.0},
    "jumprelu": {"l0": 1.0},
    "topk": {"k": 16},
    "batchtopk": {"k": 16},
    "matryoshka": {"k": 16},
}

Tokens = Annotated[int, Field(ge=1, le=10**12)]
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


@dataclass(frozen=True)
class TrainingOptions:
    """How a dictionary is trained."""

    tokens: Tokens = Field(200_000, description="tokens to train on, rounded up to whole batches")
    features: Count = Field(1024, description="features of the dictionary")
    architecture: Architecture = Field("batchtopk", description="how features are kept sparse")
    k: Count | None = Field(
        None, description="active features a token of topk, batchtopk and matryoshka; 16 where none is given"
    )
    l1: Weight | None = Field(
        None, description="weight of the L1 of features of standard and gated; 1 where none is given"
    )
    l0: Weight | None = Field(None, description="weight of the L0 of features of jumprelu; 1 where none is given")
    lr: Rate = Field(2e-3, description="learning rate: a twentieth of the run up to it, the last fifth to 0")
    batch: Count = Field(256, description="tokens in a training step")
    block: Count = Field(64, description="windows that are run together and their tokens shuffled")
    skip: Index = Field(1, description="first positions of a window that are left out: outliers")
    normalise: bool = Field(
        True, description="train on activations scaled to the mean norm √width; the weights have it folded in"
    )
    dead_window: Tokens = Field(10_000, description="tokens without being active after which a feature is dead")
    held: Count = Field(32, description="windows that the dictionary is measured on, which it has not seen")
    seed: Seed = Field(0, description="seed of the first weights and of the order of the text")
    checkpoint: Tokens = Field(50_000, description="tokens between two checkpoints")
    saved_dtype: Literal["float32", "float16"] = Field("float32", description="precision of the saved weights")

    @property
    def steps(self) -> int:
        """Training steps."""
        return ceil(self.tokens / self.batch)

    @property
    def own(self) -> dict[str, float]:
        """Settings that this architecture has and others lack."""
        given = {name: getattr(self, name) for name in _OWN[self.architecture]}
        return {
            name: default if given[name] is None else given[name] for name, default in _OWN[self.architecture].items()
        }

    @property
    def deciding(self) -> dict[str, Any]:
        """What decides the weights that are saved: all but how often checkpoints are."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)} | self.own
        return {name: kept[name] for name in kept if name != "checkpoint"}

    def windows_to_read(self, length: int) -> int:
        """Windows of that length which the training and the measuring take. Raises: OptionError if none is left."""
        if self.skip >= length:
            raise OptionError(f"skip = {self.skip} leaves nothing of windows of {length} tokens; skip fewer")
        return ceil(self.steps * self.batch / (length - self.skip)) + self.held

    def require_sense(self) -> None:
        """Raises: OptionError for what this architecture would ignore, and for more active features than there are."""
        for name in ("k", "l1", "l0"):
            if name not in self.own and getattr(self, name) is not None:
                takes = " and ".join(self.own)
                raise OptionError(f"{name} is no setting of {self.architecture}, which takes {takes}; leave {name} out")
        if self.own.get("k", 0) > self.features:
            raise OptionError(
                f"k = {self.own['k']:g} is more than the {self.features} features; give a smaller k or more features"
            )

    def sae(self, width: int, device: str, about: dict[str, Any]) -> dict[str, Any]:
        """The autoencoder, in sae-lens' terms."""
        warm_up = self.steps // 20
        terms: dict[str, Any] = {
            "k": {"k": self.own.get("k")},
            "l1": {"l1_coefficient": self.own.get("l1"), "l1_warm_up_steps": warm_up},
            "l0": {"l0_coefficient": self.own.get("l0"), "l0_warm_up_steps": warm_up},
        }
        settings: dict[str, Any] = {}
        for name in self.own:
            settings |= terms[name]
        if self.architecture == "matryoshka":
            halved = (self.features // part for part in (8, 4, 2, 1))
            settings["matryoshka_widths"] = sorted({size for size in halved if size})
        return settings | {
            "architecture": "matryoshka_batchtopk" if self.architecture == "matryoshka" else self.architecture,
            "d_in": width,
            "d_sae": self.features,
            "dtype": "float32",
            "device": device,
            "normalize_activations": "expected_average_only_in" if self.normalise else "none",
            "metadata": about,
        }

    def trainer(self, device: str) -> dict[str, Any]:
        """The training, in sae-lens' terms."""
        return {
            "total_training_samples": self.steps * self.batch,
            "train_batch_size_samples": self.batch,
            "lr": self.lr,
            "lr_end": self.lr / 10,  # where other schedules than this one end
            "lr_warm_up_steps": self.steps // 20,
            "lr_decay_steps": self.steps // 5,
            "dead_feature_window": ceil(self.dead_window / self.batch),
            "device": device,
        }
