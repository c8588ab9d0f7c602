"""The made-up software company whose data fills the sandbox: one seed, no clock, no network."""

from planhat_pipelines.sandbox.world.world import NextDay, World, build, next_day

__all__ = ["NextDay", "World", "build", "next_day"]
