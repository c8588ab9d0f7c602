"""Whatever happens to a table between two runs, Planhat's records say afterwards what the table says."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_pipelines.engine.protocols import Brake
from planhat_pipelines.snowflake.errors import NotFound
from planhat_pipelines_tests.e2e.place import open_session
from planhat_pipelines_tests.records.crm import Crm, of

ROWS = [("a", "Ana", "Oslo"), ("b", "Bo", "Rome"), ("c", "Cy", None)]


@pytest.fixture
def synced(crm: Crm) -> Crm:
    """Three accounts that were synced."""
    crm.accounts(*ROWS)
    assert of(crm.run()) == {"created": 3}
    crm.sent()
    return crm


CASES: dict[str, tuple[list[str], dict[str, int], dict[str, str]]] = {
    "insert": (["INSERT INTO {table} VALUES ('d', 'Di', NULL, NULL)"], {"created": 1}, {"d": "Di"}),
    "update": (["UPDATE {table} SET NAME = 'New' WHERE ID = 'a'"], {"updated": 1}, {"a": "New"}),
    "insert, then update": (
        [
            "INSERT INTO {table} VALUES ('d', 'x', NULL, NULL)",
            "UPDATE {table} SET NAME = 'Di' WHERE ID = 'd'",
        ],
        {"created": 1},
        {"d": "Di"},
    ),
    "insert, then delete": (
        ["INSERT INTO {table} VALUES ('d', 'x', NULL, NULL)", "DELETE FROM {table} WHERE ID = 'd'"],
        {},
        {},
    ),
    "update and back": (
        ["UPDATE {table} SET NAME = 'x' WHERE ID = 'a'", "UPDATE {table} SET NAME = 'Ana' WHERE ID = 'a'"],
        {},
        {},
    ),
    "delete, then insert with other values": (
        ["DELETE FROM {table} WHERE ID = 'a'", "INSERT INTO {table} VALUES ('a', 'New', 'Oslo', NULL)"],
        {"updated": 1},
        {"a": "New"},
    ),
    "delete, then insert with the same values": (
        ["DELETE FROM {table} WHERE ID = 'a'", "INSERT INTO {table} VALUES ('a', 'Ana', 'Oslo', NULL)"],
        {"unchanged": 1},
        {},
    ),
    "a column that is not mapped": (
        ["UPDATE {table} SET NOTE = 'seen' WHERE ID <> 'c'"],
        {"unchanged": 2},
        {},
    ),
    "delete": (["DELETE FROM {table} WHERE ID = 'a'"], {"unchanged": 1}, {}),
    "truncate": (["TRUNCATE TABLE {table}"], {"unchanged": 3}, {}),
    "merge": (
        [
            "MERGE INTO {table} t USING (SELECT 'a' AS I, 'M' AS N UNION ALL SELECT 'd', 'Di') s ON t.ID = s.I "
            "WHEN MATCHED THEN UPDATE SET NAME = s.N WHEN NOT MATCHED THEN INSERT (ID, NAME) VALUES (s.I, s.N)"
        ],
        {"created": 1, "updated": 1},
        {"a": "M", "d": "Di"},
    ),
}


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        *((case, "change_tracking") for case in CASES),
        *((case, "snapshot_diff") for case in ("update", "delete", "merge", "a column that is not mapped")),
    ],
)
def test_the_net_change_and_nothing_else_is_sent(synced: Crm, case: str, changes: str) -> None:
    statements, counts, differs = CASES[case]
    for statement in statements:
        synced.sql(statement)
    report = synced.run(synced.spec(changes=changes))
    counted = {end: count for end, count in of(report).items() if end != "unchanged"}
    assert counted == {end: count for end, count in counts.items() if end != "unchanged"}
    if changes == "change_tracking":
        assert of(report) == counts
    assert synced.names() == {"a": "Ana", "b": "Bo", "c": "Cy", **differs}
    assert synced.sent() == (1 if set(counts) - {"unchanged"} else 0)
    assert synced.run(synced.spec(changes=changes)).rows_read == 0


def test_work_that_is_not_committed_or_rolled_back_never_leaves(
    synced: Crm, sync_environment: tuple[dict[str, str], Any]
) -> None:
    with open_session(sync_environment[0]) as other:
        cursor = other.cursor()
        cursor.execute("BEGIN")
        cursor.execute(f"UPDATE {synced.table} SET NAME = 'late' WHERE ID = 'a'")
        assert synced.run().items_sent == 0
        cursor.execute("COMMIT")
        assert of(synced.run()) == {"updated": 1}
        cursor.execute("BEGIN")
        cursor.execute(f"UPDATE {synced.table} SET NAME = 'never'")
        cursor.execute("ROLLBACK")
        assert synced.run().items_sent == 0
    assert synced.names() == {"a": "late", "b": "Bo", "c": "Cy"}


def test_windows_share_their_literal_so_that_nothing_is_lost_or_read_twice(synced: Crm) -> None:
    ends = [synced.ledger.cursor("accounts").value["at"]]
    read = 0
    for number in range(4):
        synced.sql(f"UPDATE {{table}} SET NAME = 'n{number}' WHERE ID = 'a'")
        report = synced.run()
        assert report.cursor_from is not None
        assert report.cursor_to is not None
        assert report.cursor_from["at"] == ends[-1]
        ends.append(report.cursor_to["at"])
        read += report.rows_read
    assert read == 4
    assert sorted(set(ends)) == ends
    assert synced.names()["a"] == "n3"


def test_a_commit_between_the_end_of_a_window_and_its_reading_waits_for_the_next_window(synced: Crm) -> None:
    """The end is a literal taken first; what is committed after it is not read, though it is there by then."""
    synced.sql("UPDATE {table} SET NAME = 'first' WHERE ID = 'a'")
    with synced.place.client() as planhat:
        source = synced.sync(synced.spec(), planhat).source
        increment = source.next(synced.ledger.cursor("accounts").value)
        assert increment is not None
        synced.sql("UPDATE {table} SET NAME = 'second' WHERE ID IN ('a', 'b')")
        (piece,) = increment.pieces()
        assert piece["NAME"].to_list() == ["first"]
        later = synced.sync(synced.spec(), planhat).source.next(increment.cursor())
        assert later is not None
        assert [frame["NAME"].to_list() for frame in later.pieces()] == [["second", "second"]]


LOST = {
    "replaced": ["CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table}"],
    "replaced with tracking": [
        "CREATE OR REPLACE TABLE {table} CHANGE_TRACKING = TRUE AS SELECT * FROM {table}"
    ],
    "tracking off": ["ALTER TABLE {table} SET CHANGE_TRACKING = FALSE"],
    "tracking off and on": [
        "ALTER TABLE {table} SET CHANGE_TRACKING = FALSE",
        "ALTER TABLE {table} SET CHANGE_TRACKING = TRUE",
    ],
    "retention over": ["ALTER TABLE {table} SET DATA_RETENTION_TIME_IN_DAYS = 0"],
}


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: lost.replace(" ", "-"))
def test_a_lost_window_becomes_a_comparison_of_the_whole_table_and_is_said(crm: Crm, lost: str) -> None:
    crm.custom("any")
    crm.table_of(
        "ID VARCHAR, ACC VARCHAR, EMAIL VARCHAR", *[(f"u{n}", "c-1", f"u{n}@x.io") for n in range(4)]
    )
    crm.place.companies("c-1")
    spec = crm.spec(
        model="enduser",
        company={"column": "ACC"},
        fields=[{"column": "EMAIL", "field": "email"}],
        on_delete="archive",
    )
    assert of(crm.run(spec)) == {"created": 4}
    crm.sql("DELETE FROM {table} WHERE ID = 'u0'")
    crm.sql("UPDATE {table} SET EMAIL = 'new@x.io' WHERE ID = 'u1'")
    crm.sql("INSERT INTO {table} SELECT 'u9', 'c-1', 'u9@x.io'")
    for statement in LOST[lost]:
        crm.sql(statement)
    report = crm.run(spec)
    assert of(report) == {"created": 1, "updated": 2, "unchanged": 2}
    assert report.items_sent == 3
    said = "\n".join(crm.log)
    assert "cannot be read any more (" in said
    assert "SET CHANGE_TRACKING = TRUE" in said
    assert "reading the whole table" in said
    held = crm.held("enduser")
    assert {key for key, each in held.items() if each["archived"]} == {"u0"}
    assert held["u1"]["email"] == "new@x.io"
    assert len(held) == 5
    assert crm.run(spec).items_sent == 0


@pytest.mark.parametrize(
    ("gone", "changes"),
    [
        ("DROP TABLE {table}", "change_tracking"),
        ("ALTER TABLE {table} RENAME TO {table}_AWAY", "snapshot_diff"),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error_and_archives_nobody(
    crm: Crm, sync_environment: tuple[dict[str, str], Any], gone: str, changes: str
) -> None:
    spec = issues(crm, changes)
    crm.sql(gone)
    with (
        pytest.raises(NotFound, match="does not exist"),
        open_session(sync_environment[0]) as session,
    ):
        crm.run(spec, session=session)
    assert not any(each["archived"] for each in crm.held("issue", "sourceId").values())
    assert crm.ledger.runs("accounts")[0].state == "failed"


EMPTIED = {
    "delete": ["DELETE FROM {table}"],
    "truncate": ["TRUNCATE TABLE {table}"],
    "replaced": ["CREATE OR REPLACE TABLE {table} (ID VARCHAR, NAME VARCHAR, CITY VARCHAR, NOTE VARCHAR)"],
}


@pytest.mark.parametrize(
    ("how", "changes"), [*((how, "change_tracking") for how in EMPTIED), ("delete", "snapshot_diff")]
)
def test_an_empty_table_after_a_full_one_archives_nobody_and_heals_when_it_is_filled(
    crm: Crm, how: str, changes: str
) -> None:
    spec = issues(crm, changes)
    for statement in EMPTIED[how]:
        crm.sql(statement)
    with pytest.raises(Brake, match="no row is left"):
        crm.run(spec)
    assert crm.sent() == 0
    crm.add(("b", "Bo"), ("c", "Cy"))
    assert of(crm.run(spec))["updated"] == 1
    held = crm.held("issue", "sourceId")
    assert {key for key, each in held.items() if each["archived"]} == {"a"}


def test_a_table_that_was_emptied_on_purpose_is_let_through(crm: Crm) -> None:
    spec = issues(crm, "change_tracking")
    crm.sql("DELETE FROM {table}")
    assert of(crm.run(spec, allow_many_changes=True)) == {"updated": 3}
    assert all(each["archived"] for each in crm.held("issue", "sourceId").values())


def test_an_empty_table_of_a_sync_that_archives_nobody_is_said_and_no_failure(synced: Crm) -> None:
    synced.sql("DELETE FROM {table}")
    assert of(synced.run()) == {"unchanged": 3}
    assert any("no row is left" in line for line in synced.log)


def test_a_table_that_was_always_empty_is_read_in_peace(crm: Crm) -> None:
    crm.accounts()
    assert crm.run(crm.spec()).rows_read == 0
    crm.add(("a", "Ana"))
    assert of(crm.run()) == {"created": 1}


def issues(crm: Crm, changes: str) -> Any:
    """Three issues that were synced, by a sync that archives."""
    crm.accounts(*ROWS)
    spec = crm.spec(
        model="issue",
        key={"column": "ID", "field": "sourceId"},
        fields=[{"column": "NAME", "field": "title"}],
        on_delete="archive",
        changes=changes,
    )
    assert of(crm.run(spec)) == {"created": 3}
    crm.sent()
    return spec
