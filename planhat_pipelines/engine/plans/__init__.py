"""What a run would do, reviewed before it happens."""
