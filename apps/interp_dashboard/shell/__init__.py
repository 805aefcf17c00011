"""What every page shares: header, question, rail, inspector, and what they show of the model."""

from interp_dashboard.shell.answers import ABLATION, ANSWER, CONTENTS, EFFECTS, LIKELIEST, PATTERN, PATTERNS

__all__ = ["ABLATION", "ANSWER", "CONTENTS", "EFFECTS", "LIKELIEST", "PATTERN", "PATTERNS"]
