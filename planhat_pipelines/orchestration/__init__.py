"""Dagster's face of the engine: specs to assets, checks, schedules and sensors; resources that hold sign-in."""
