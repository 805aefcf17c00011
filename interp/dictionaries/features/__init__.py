"""What single features read, write and come from."""
