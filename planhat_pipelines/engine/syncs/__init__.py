"""A spec made ready to run."""
