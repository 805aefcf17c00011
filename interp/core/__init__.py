"""The common types: axes, prompts, metrics, results, the engine record, progress and errors."""
