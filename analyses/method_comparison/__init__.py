"""Which attribution methods find the evidence for a verb's form, and whether faithfulness scores say the same."""
