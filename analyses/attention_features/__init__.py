"""What features of attention outputs do in indirect object identification."""
