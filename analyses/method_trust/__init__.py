"""Which methods can be trusted when."""
