"""How far an attribution can be trusted: faithfulness, agreement, and scores where the evidence is known."""
