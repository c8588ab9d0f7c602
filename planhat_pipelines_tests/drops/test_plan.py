"""A plan of files reads those that wait where they lie: none is taken, moved or written down."""

from __future__ import annotations

from planhat_pipelines.engine.plans.plan import Plan
from planhat_pipelines.engine.syncs.ready import plan_of
from planhat_pipelines.spec.files import FilesSpec
from planhat_pipelines_tests.drops.dock import Dock, csv, metrics

WHEN = "2026-11-01"
HEAD = "customer,at,minutes"


def test_it_tells_files_points_and_what_waits_and_leaves_every_file_where_it_lies(dock: Dock) -> None:
    facts = dock.facts(metrics=metrics(("minutes", "minutes", "sum"), ("rows", "minutes", "count")))
    dock.companies("c-1")
    dock.drop("a.csv", csv(HEAD, [("c-1", WHEN, 1), ("c-1", WHEN, 2), ("c-9", WHEN, 4)]))
    dock.drop("b.csv", csv(HEAD, [("c-1", WHEN, 8), ("c-1", WHEN, "many")]))
    dock.drop("c.csv", "who,at\nc-1,2026-11-01\n")
    before = dock.keys()
    with dock.client() as planhat:
        plan = plan_of(FilesSpec.model_validate(facts), dock.environment, planhat, dock.ledger)
    assert isinstance(plan, Plan)
    assert sorted(plan.drops)[:2] == [
        (f"'{dock.root}in/a.csv'", "3 rows"),
        (f"'{dock.root}in/b.csv'", "2 rows"),
    ]
    assert sorted(plan.drops)[2][1].startswith("cannot be read: the file has no column customer, minutes")
    assert plan.points == {"minutes": 2, "rows": 2}
    assert {end: many for end, many in plan.counts.items() if many} == {
        "submitted": 3,
        "refused": 1,
        "parked": 1,
    }
    assert (dock.keys(), dock.ledger.drops(), dock.ledger.runs(), dock.points()) == (before, [], [], {})
    assert not dock.spool.exists() or not any(each.is_file() for each in dock.spool.rglob("*"))
    report = dock.run(facts)
    assert (report.verdicts["submitted"], report.verdicts["refused"], report.verdicts["parked"]) == (3, 1, 1)
