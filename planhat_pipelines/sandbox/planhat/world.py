"""All parts of the sandbox's Planhat, wired once."""

from __future__ import annotations

from pathlib import Path

from planhat_pipelines.sandbox.planhat.activities import Activities
from planhat_pipelines.sandbox.planhat.auth import Apps
from planhat_pipelines.sandbox.planhat.gate import Gate
from planhat_pipelines.sandbox.planhat.records import Records
from planhat_pipelines.sandbox.planhat.series import Metrics
from planhat_pipelines.sandbox.planhat.store import Store
from planhat_pipelines.sandbox.planhat.switches import Switches


class World:
    """One tenant, kept in `folder`: what is stored, who may ask, and how it answers."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.switches = Switches(self.store.call(self.store.setting, "switches", {}))
        self.apps = Apps(self.store)
        self.records = Records(self.store, self.switches)
        self.metrics = Metrics(self.store, self.switches)
        self.activities = Activities(self.store, self.records)
        self.gate = Gate(self.apps, self.switches)
        self.analytics_url = ""

    def keep_switches(self) -> None:
        self.store.set_setting("switches", self.switches.changed)

    async def reset(self) -> None:
        """Back to the first day, but for the tokens and the tenant."""
        self.switches.changed.clear()
        self.gate.faults.clear()
        self.gate.log.clear()
        self.gate.limits.forget()
        await self.store.run(self._forget)

    def _forget(self) -> None:
        self.store.wipe()
        self.metrics.forget()
        self.records.reload_custom_fields()
        self.keep_switches()
