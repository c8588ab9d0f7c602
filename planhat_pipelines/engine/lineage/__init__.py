"""Which column becomes which Planhat field, and how a value came about."""
