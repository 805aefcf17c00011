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

    tokens: Tokens = Field(200_000, description="training tokens, rounded up to whole batches")
    features: Count = Field(1024, description="number of features")
    architecture: Architecture = Field("batchtopk", description="how sparsity is enforced")
    k: Count | None = Field(
        None, description="active features per token, for topk, batchtopk and matryoshka; default 16"
    )
    l1: Weight | None = Field(None, description="L1 coefficient, for standard and gated; default 1")
    l0: Weight | None = Field(None, description="L0 coefficient, for jumprelu; default 1")
    lr: Rate = Field(
        2e-3,
        description="learning rate, with warm-up over the first twentieth of the run "
        "and decay to 0 over the last fifth",
    )
    batch: Count = Field(256, description="tokens per training step")
    block: Count = Field(64, description="windows that are run together and whose tokens are shuffled")
    skip: Index = Field(1, description="initial positions of every window to skip, as they are outliers")
    normalise: bool = Field(
        True, description="train on activations scaled to a mean norm of √width; the scale is folded into the weights"
    )
    dead_window: Tokens = Field(10_000, description="a feature is dead after this many tokens without activation")
    held: Count = Field(32, description="held-out windows for evaluation")
    seed: Seed = Field(0, description="seed of the initial weights and of the text order")
    checkpoint: Tokens = Field(50_000, description="tokens between checkpoints")
    saved_dtype: Literal["float32", "float16"] = Field("float32", description="precision of the saved weights")

    @property
    def steps(self) -> int:
        """Training steps."""
        return ceil(self.tokens / self.batch)

    @property
    def own(self) -> dict[str, float]:
        """Settings that this architecture has and others lack."""
        values = {name: getattr(self, name) for name in _OWN[self.architecture]}
        return {
            name: default if values[name] is None else values[name] for name, default in _OWN[self.architecture].items()
        }

    @property
    def deciding(self) -> dict[str, Any]:
        """What decides the weights that are saved: all but how often checkpoints are."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | self.own
        return {name: values[name] for name in values if name != "checkpoint"}

    def windows_to_read(self, length: int) -> int:
        """Windows of that length which the training and the measuring take. Raises: OptionError if none is left."""
        if self.skip >= length:
            raise OptionError(f"skip = {self.skip} leaves nothing of windows of {length} tokens; skip fewer")
        return ceil(self.steps * self.batch / (length - self.skip)) + self.held

    def require_sense(self) -> None:
        """Raises: OptionError for what this architecture would ignore, and for more active features than there are."""
        for name in ("k", "l1", "l0"):
            if name not in self.own and getattr(self, name) is not None:
                options = " and ".join(self.own)
                raise OptionError(
                    f"{name} is not an option of {self.architecture}, which takes {options}; leave {name} out"
                )
        if self.own.get("k", 0) > self.features:
            raise OptionError(
                f"k = {self.own['k']:g} exceeds the {self.features} features; give a smaller k or more features"
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
            sizes = (self.features // part for part in (8, 4, 2, 1))
            settings["matryoshka_widths"] = sorted({size for size in sizes if size})
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
