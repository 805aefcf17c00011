"""`make fuzz`: every kind of attack, with counts; exits with 1 where one of them found a fault."""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import psutil

from fuzz import command_lines, damaged_files

MEMORY = 6 * 2**30  # what an attack may take beyond what the process has: a refusal, not a machine that stops
KINDS = {"command-lines": (command_lines.attack, 10_000), "damaged-files": (damaged_files.attack, 1_000)}


def main() -> int:
    """Run the kinds that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    for name, (_, count) in KINDS.items():
        parser.add_argument(
            f"--{name}", type=int, default=count, metavar="COUNT", help=f"default {count:,}; 0 leaves it out"
        )
    chosen = vars(parser.parse_args())
    limit = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    faults = 0
    for name, (attack, _) in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            ends = attack(Path(folder), chosen[name.replace("-", "_")], chosen["seed"])
        faults += ends["fault"]
        sys.stdout.write(f"{name}: {', '.join(f'{count:,} {end}' for end, count in sorted(ends.items()))}\n")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
