"""Dictionaries' rows: training against sae-lens' own runner on the same model, text and settings."""

import logging
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import interp
from analyses.benchmarks.timing import Row, ratio
from interp.corpus import Windows
from interp.dictionaries import TrainingOptions
from interp.dictionaries.sae.hook_names import hook_of
from interp.models import HookedModel, Site

LENGTH, BATCH, FEATURES, K, LR = 256, 2048, 1024, 16, 3e-3
TOKENS = 4 * BATCH


def rows(model: HookedModel) -> Iterator[Row]:
    """Every row of this file, on the default model."""
    site = Site("z", model.dims.layers // 3)
    windows = Windows.cut(model, windows=TOKENS // LENGTH + 1, length=LENGTH)
    for side in (_ours, _sae_lens):
        side(model, windows, site, BATCH)
    yield ratio(
        f"training a dictionary on {TOKENS:,} tokens of {site}, against sae-lens' runner",
        lambda: _ours(model, windows, site, TOKENS),
        lambda: _sae_lens(model, windows, site, TOKENS),
        target=1 / 0.9,
        repeats=3,
        warm_up=False,
    )


def _ours(model: HookedModel, windows: Windows, site: Site, tokens: int) -> None:
    """With its report on one window of held-out text, and the dictionary saved."""
    settings: dict[str, Any] = {
        "tokens": tokens, "features": FEATURES, "architecture": "batchtopk", "k": K, "lr": LR, "batch": BATCH,
        "skip": 0, "normalise": False, "held": 1,
    }  # fmt: skip
    with TemporaryDirectory() as folder:
        interp.dictionaries.train(model, windows, site, out=Path(folder) / "out", options=TrainingOptions(**settings))


def _sae_lens(model: HookedModel, windows: Windows, site: Site, tokens: int) -> None:
    """Nothing mixed, so that it runs the model over no more text than it trains on."""
    from datasets import Dataset
    from sae_lens import BatchTopKTrainingSAEConfig, LanguageModelSAERunnerConfig, LanguageModelSAETrainingRunner
    from sae_lens.config import LoggingConfig

    logging.getLogger("sae_lens").setLevel(logging.ERROR)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = LanguageModelSAERunnerConfig(
            sae=BatchTopKTrainingSAEConfig(d_in=model.dims.heads * model.dims.d_head, d_sae=FEATURES, k=K),
            model_name=model.name,
            hook_name=hook_of(site),
            context_size=LENGTH,
            training_tokens=tokens,
            train_batch_size_tokens=BATCH,
            lr=LR,
            lr_warm_up_steps=tokens // BATCH // 20,
            lr_decay_steps=tokens // BATCH // 5,
            store_batch_size_prompts=BATCH // LENGTH,
            n_batches_in_buffer=BATCH // LENGTH,
            activations_mixing_fraction=0,
            prepend_bos=False,
            dead_feature_window=100,
            device=str(model.device),
            logger=LoggingConfig(log_to_wandb=False),
            checkpoint_path=None,
            output_path=folder,
            verbose=False,
        )
        text = Dataset.from_dict({"input_ids": windows.tokens.tolist()})
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        try:
            LanguageModelSAETrainingRunner(config, override_dataset=text, override_model=model.bridge).run()
        finally:  # it puts its own handlers there and leaves them
            for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
                signal.signal(number, handler)
