"""Attacks by the thousand: `make fuzz`. A kind is a module with `attack(folder, count, seed)` and a line in `KINDS`."""
