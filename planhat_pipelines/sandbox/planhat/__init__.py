"""A local Planhat: both hosts, all models, metrics and activities, faults on order, and a page to look at.

Written from what is publicly documented; what is not is a switch (switches.py).
"""

from __future__ import annotations

from planhat_pipelines.sandbox.planhat.server import PlanhatServer

__all__ = ["PlanhatServer"]
