"""What everything speaks: axes, prompts, metrics, results, the engine record, progress and errors."""
