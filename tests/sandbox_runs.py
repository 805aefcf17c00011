"""Options of trainings that take no time."""

SHORT = {"steps": 6, "batch": 4, "test": 8, "logged": 2, "spaced": 3, "sharpness": 2, "warm_up": 2}
SMALL = {"width": 8, "head_size": 4, "neurons": 8}
