"""What is minimised: an objective a file, and the one way to make that which a config asks for."""
