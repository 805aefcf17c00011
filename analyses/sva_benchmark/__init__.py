"""Which attribution methods find the subject that decides a verb's form."""
