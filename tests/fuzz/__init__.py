"""Attacks on the program by the thousand: `make fuzz`. A kind of attack is a module with `attack(folder, count, seed)`."""
