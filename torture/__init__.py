"""Random kills and faults, and what must hold all the same: python -m torture."""
