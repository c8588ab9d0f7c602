"""Run a sync: read, map, deliver, commit. Plain Python; it never imports dagster."""
