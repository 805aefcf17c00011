"""Training a dictionary with sae-lens' own trainer, on what a site holds while the model reads a corpus."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from interp.core.errors import CorpusError, DictionaryError
from interp.core.options import parse_options
from interp.core.progress import track
from interp.corpus.batches import step_of
from interp.corpus.windows import Windows, special_tokens
from interp.dictionaries.sae.dictionary import Dictionary, precision_of, width_of
from interp.dictionaries.sae.hook_names import hook_of
from interp.dictionaries.sae.lens import import_sae_lens
from interp.dictionaries.sae.loading import load
from interp.dictionaries.training.folder import REPORT, TrainingFolder
from interp.dictionaries.training.options import TrainingOptions
from interp.dictionaries.training.stream import Stream, read
from interp.dictionaries.training.threshold import measures, threshold_for
from interp.models.hooked import HookedModel
from interp.models.memory import require_free, require_memory
from interp.models.sites import SITES, Site

if TYPE_CHECKING:
    from sae_lens import TrainingSAE
    from sae_lens.training.sae_trainer import SAETrainer

_ROWS = 100  # of the report's history
_THRESHOLD = "threshold"


def train(
    model: HookedModel,
    windows: Windows,
    site: Site,
    *,
    out: Path,
    options: TrainingOptions | None = None,
) -> Dictionary:
    """Train a dictionary of what `site` holds, heads side by side, and keep it in the folder `out`, ready to load.

    A training that was stopped, in whatever way, goes on from its last checkpoint when it is called again, and ends
    with the same weights as one that was not; a finished one is only loaded. `report.json` says how it went: settings,
    losses, the active features a token (L0) while training and as saved, explained variance and features that were
    never active on text that was held out. BatchTopK and Matryoshka are saved with a threshold that gives k on as many
    windows of the text that was trained on.

    Raises: DictionaryError for a site without one vector a position, a folder of another training or in use, a full
    disk, or a loss that is no number; OptionError for settings that make no sense; CorpusError for too little text;
    MemoryLimitError.
    Source: sae-lens 6.54 (`SAETrainer`); Bricken et al. 2023, Towards monosemanticity.
    Differs: a block of windows is shuffled as a whole, rather than half of a buffer mixed with new ones, so that the
    order of tokens depends on the seed alone; the threshold is an order statistic (`threshold_for`).
    """
    if options is None:
        options = cast(TrainingOptions, parse_options("train", TrainingOptions, {}))
    options.require_sense()
    width = _width(model, site)
    most = options.windows_to_read(windows.width) - options.held
    text = windows[: min(most, len(windows))]
    stream = Stream(model, text, site, options.seed, options.block, options.skip)
    _require_batch(windows, stream, options)
    _require_memory(model, stream, options, width)
    test = range(len(text), len(windows))[: options.held]
    rows = list(test or range(len(windows))[-options.held :])
    sample = list(range(0, len(text), max(1, len(text) // options.held)))[: options.held]  # over all that is trained on
    settings = {
        "model": model.name, "weight_hash": model.weight_hash, "model_dtype": precision_of(model),
        "site": str(site), "corpus": windows.corpus, "content": windows.hash, "length": windows.width,
        "windows": len(text), **options.deciding,
    }  # fmt: skip
    folder = TrainingFolder(out)
    with folder.locked():
        folder.begin(settings)
        if not folder.finished:
            with _seed(model, options.seed):
                trainer = _trainer(model, windows, site, options, width)
            progress = _fit(trainer, stream, options, folder)
            calibration, values = (read(model, windows, each, site, options.skip) for each in (sample, rows))
            with folder.finishing() as scratch:
                results = _save(trainer, scratch, options, calibration, values)
                steps = {"tokens": trainer.n_training_samples, "epochs": _epochs(stream, trainer.n_training_samples)}
                test_facts = {"tokens": len(values), "unseen": bool(test)}
                report = {"settings": settings, **steps, **_compare(results, progress, test_facts), **progress}
                folder.write_record(REPORT, report)
    return load(out)


def _width(model: HookedModel, site: Site) -> int:
    width = None if model.edit_obstacle(site) else width_of(model, site)
    if width is None or site.layer is None:
        why = model.edit_obstacle(site) or f"{site} has axes {SITES[site.name].axes}"
        raise DictionaryError(
            f"cannot train a dictionary at {site}: {why}; choose a site with one vector per position, such as z"
        )
    return width


def _require_batch(windows: Windows, stream: Stream, options: TrainingOptions) -> None:
    tokens = len(stream.windows) * stream.tokens_in_window
    if tokens < options.batch:
        raise CorpusError(
            f"{windows.corpus} holds {tokens:,} tokens ({len(windows)} windows of {windows.width}), fewer than one "
            f"batch of {options.batch:,}; give a longer text, shorter windows or a smaller batch"
        )


def _require_memory(model: HookedModel, stream: Stream, options: TrainingOptions, width: int) -> None:
    """Refuse a training that cannot fit.

    Counted: weights, gradients and Adam's two moments; a batch's features eight times and its activations four times
    (forward, backward, what is active); a block of activations three times (read, shuffled, the rest of the last).
    Raises: MemoryLimitError with both numbers.
    """
    weights = 4 * (2 * width * options.features + 3 * options.features + width)
    batch = options.batch * (8 * options.features + 4 * width)
    size = 4 * (weights + batch + 3 * stream.tokens_in_block * width)
    work = f"{options.features:,} features of {width}, trained on batches of {options.batch:,} tokens,"
    require_free(size, model.device, work, "use fewer features, or a smaller batch or block")
    require_memory(model, stream.windows[: step_of(stream.windows)], [stream.site], logits_at=1)


@contextmanager
def _seed(model: HookedModel, seed: int) -> Iterator[None]:
    with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _trainer(
    model: HookedModel, windows: Windows, site: Site, options: TrainingOptions, width: int
) -> "SAETrainer[TrainingSAE[Any], Any]":
    import_sae_lens()
    from sae_lens import TrainingSAE
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    about = {
        "model_name": model.name, "weight_hash": model.weight_hash, "model_dtype": precision_of(model),
        "hook_name": hook_of(site),
        "context_size": windows.width, "seqpos_slice": [options.skip, None], "dataset_path": windows.corpus,
        "prepend_bos": bool(special_tokens(model)[0]),
    }  # fmt: skip
    sae = TrainingSAE.from_dict(options.sae(width, str(model.device), about))
    return SAETrainer(SAETrainerConfig(**options.trainer(str(model.device))), sae, iter(()))


def _fit(
    trainer: "SAETrainer[TrainingSAE[Any], Any]", stream: Stream, options: TrainingOptions, folder: TrainingFolder
) -> dict[str, Any]:
    """Train to the end from the last checkpoint; the seconds that all of it took, and how it went."""
    progress = {"seconds": 0.0, "history": []} | folder.restore(trainer)
    start = time.perf_counter() - progress["seconds"]
    total, saved = options.steps * options.batch, trainer.n_training_samples
    batches = stream.batches(options.batch, saved)
    if options.normalise and trainer.activation_scaler.scaling_factor is None:
        # As sae-lens estimates it, but from the batch that comes next, and without a bar of its own.
        first = next(batches)
        norm = float(first.norm(dim=-1).mean())
        trainer.activation_scaler.scaling_factor = trainer.sae.cfg.d_in**0.5 / norm if norm else 1.0
        batches = chain((first,), batches)
    label = f"tokens for {trainer.sae.cfg.d_sae:,} features of {stream.site}"
    remaining = islice(batches, options.steps - trainer.n_training_steps)
    for batch in track(remaining, total, label, first=saved, each=options.batch):
        trainer.maybe_reset_sparsity()
        output = trainer.step(batch)
        _require_finite(output.loss.detach(), trainer, folder)
        if trainer.n_training_steps % max(1, options.steps // _ROWS) == 0:
            log = trainer.build_train_step_log_dict(output, trainer.n_training_samples)
            progress["history"].append({"tokens": trainer.n_training_samples, **_history_row(log)})
        trainer.n_training_steps += 1
        if trainer.n_training_samples - saved >= options.checkpoint and trainer.n_training_samples < total:
            saved = trainer.n_training_samples
            progress["seconds"] = time.perf_counter() - start
            _require_finite_weights(trainer, folder)
            folder.save(trainer, progress)
    _require_finite_weights(trainer, folder)
    progress["seconds"] = round(time.perf_counter() - start, 1)
    return progress


def _history_row(log: Mapping[str, float]) -> dict[str, float]:
    """What the history keeps of what sae-lens would log."""
    names = ("metrics/l0", "metrics/explained_variance", "sparsity/dead_features")
    return {name.partition("/")[2]: value for name, value in log.items() if name.startswith("losses/") or name in names}


def _require_finite(loss: Tensor, trainer: "SAETrainer[Any, Any]", folder: TrainingFolder) -> None:
    if not isfinite(float(loss)):
        raise DictionaryError(
            f"the loss became {float(loss)} after {trainer.n_training_samples:,} tokens and training was stopped; "
            f"use a lower lr and another folder ({folder.last_state})"
        )


def _require_finite_weights(trainer: "SAETrainer[Any, Any]", folder: TrainingFolder) -> None:
    total = torch.stack([parameter.detach().double().square().sum() for parameter in trainer.sae.parameters()]).sum()
    _require_finite(total, trainer, folder)


def _save(
    trainer: "SAETrainer[TrainingSAE[Any], Any]",
    folder: Path,
    options: TrainingOptions,
    calibration: Float[Tensor, "token width"],
    values: Float[Tensor, "token width"],
) -> dict[str, Any]:
    """Save the dictionary as it is used, its threshold recalibrated on `calibration`; measure it on other values."""
    scale = trainer.activation_scaler.scaling_factor
    if scale is not None:
        trainer.sae.fold_activation_norm_scaling_factor(scale)
    trainer.set_final_sae_metadata()
    file, _ = trainer.sae.save_inference_model(folder)
    weights = load_file(file)
    if options.saved_dtype == "float16":  # all but thresholds, of which a rounded one moves the L0 of every token
        weights = {name: value if name == _THRESHOLD else value.half() for name, value in weights.items()}
        save_file(weights, file)
    sae = load(folder).sae.to(values.device)
    report: dict[str, Any] = {"held_out": measures(sae, values)}
    if options.architecture in ("batchtopk", "matryoshka"):
        report["l0_with_the_threshold_of_sae_lens"] = report["held_out"]["l0"]
        threshold = threshold_for(int(options.own["k"]), sae, calibration)
        weights[_THRESHOLD] = torch.full_like(weights[_THRESHOLD], threshold)
        save_file(weights, file)
        sae = load(folder).sae.to(values.device)
        on_calibration = {"tokens": len(calibration), "l0": measures(sae, calibration)["l0"]}
        report |= {"threshold": threshold, "calibrated_on_seen": on_calibration, "held_out": measures(sae, values)}
    return report


def _compare(report: dict[str, Any], progress: Mapping[str, Any], test_facts: Mapping[str, Any]) -> dict[str, Any]:
    """The L0 in training and the L0 as saved, with a warning where they differ by more than a tenth."""
    last = progress["history"][-10:]
    in_training, as_saved = sum(row["l0"] for row in last) / len(last), report["held_out"]["l0"]
    comparison = {"l0_in_training": in_training, "l0_as_saved": as_saved, **report}
    comparison["held_out"] = {**test_facts, **report["held_out"]}
    if abs(as_saved - in_training) > 0.1 * in_training:
        comparison["warning"] = (
            f"{as_saved:.2f} features per token are active as saved, but {in_training:.2f} were active in training"
        )
    return comparison


def _epochs(stream: Stream, tokens: int) -> float:
    """How often the text was read."""
    return round(tokens / (len(stream.windows) * stream.tokens_in_window), 3)
