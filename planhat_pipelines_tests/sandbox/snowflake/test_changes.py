"""The documented cases of CHANGES and AT, over the socket with the real connector."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import pytest
from snowflake.connector.errors import ProgrammingError

NAMES = (f"T{number}" for number in itertools.count())


class Tracked:
    """A tracked table K, V with rows (1, a), (2, b), and the windows read from it."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.name = next(NAMES)
        self.run(f"CREATE TABLE {self.name} (K INT, V VARCHAR) CHANGE_TRACKING = TRUE")
        self.run(f"INSERT INTO {self.name} VALUES (1, 'a'), (2, 'b')")
        self.since = self.now()

    def run(self, sql: str, *parameters: Any) -> list[Any]:
        return self.session.cursor().execute(sql.replace("{t}", self.name), *parameters).fetchall()

    def now(self) -> str:
        """A point after everything committed so far, as the text a client sends."""
        moment: datetime = self.run("SELECT CURRENT_TIMESTAMP()")[0][0]
        return moment.isoformat(sep=" ")

    def changes(self, start: str | None = None, end: str | None = None, kind: str = "DEFAULT") -> list[Any]:
        return [row[:4] for row in self.rows_with_identity(start, end, kind)]

    def rows_with_identity(
        self, start: str | None = None, end: str | None = None, kind: str = "DEFAULT"
    ) -> list[Any]:
        until = f"END(TIMESTAMP => '{end}'::TIMESTAMP_TZ)" if end else ""
        return self.run(
            "SELECT K, V, METADATA$ACTION, METADATA$ISUPDATE, METADATA$ROW_ID FROM {t} "
            f"CHANGES(INFORMATION => {kind}) AT(TIMESTAMP => '{start or self.since}'::TIMESTAMP_TZ) {until} AS c "
            "ORDER BY K, 3, V"
        )

    def at(self, point: str) -> list[Any]:
        return self.run(f"SELECT K, V FROM {{t}} AT(TIMESTAMP => '{point}'::TIMESTAMP_TZ) ORDER BY K, V")


@pytest.fixture
def table(session: Any) -> Tracked:
    return Tracked(session)


def test_an_update_is_a_delete_and_an_insert_of_one_row_identity(table: Tracked) -> None:
    table.run("UPDATE {t} SET V = 'z' WHERE K = 1")
    rows = table.rows_with_identity()
    assert [row[:4] for row in rows] == [(1, "a", "DELETE", True), (1, "z", "INSERT", True)]
    assert rows[0][4] == rows[1][4]
    assert len(rows[0][4]) == 40


def test_a_row_inserted_and_then_updated_is_one_insert_of_its_latest_image(table: Tracked) -> None:
    table.run("INSERT INTO {t} VALUES (3, 'c')")
    table.run("UPDATE {t} SET V = 'd' WHERE K = 3")
    assert table.changes() == [(3, "d", "INSERT", False)]


def test_a_row_inserted_and_deleted_within_the_window_is_not_there(table: Tracked) -> None:
    table.run("INSERT INTO {t} VALUES (3, 'c')")
    table.run("DELETE FROM {t} WHERE K = 3")
    assert table.changes() == []


def test_a_row_updated_and_put_back_is_not_there(table: Tracked) -> None:
    table.run("UPDATE {t} SET V = 'z' WHERE K = 1")
    table.run("UPDATE {t} SET V = 'a' WHERE K = 1")
    assert table.changes() == []


def test_a_key_deleted_and_inserted_again_is_two_rows_and_no_update(table: Tracked) -> None:
    table.run("DELETE FROM {t} WHERE K = 1")
    table.run("INSERT INTO {t} VALUES (1, 'n')")
    rows = table.rows_with_identity()
    assert [row[:4] for row in rows] == [(1, "a", "DELETE", False), (1, "n", "INSERT", False)]
    assert rows[0][4] != rows[1][4]


def test_truncate_is_a_delete_of_every_row(table: Tracked) -> None:
    table.run("TRUNCATE TABLE {t}")
    assert table.changes() == [(1, "a", "DELETE", False), (2, "b", "DELETE", False)]


def test_duplicate_rows_are_counted_one_by_one(table: Tracked) -> None:
    table.run("INSERT INTO {t} VALUES (7, 'x'), (7, 'x'), (7, 'x')")
    between = table.now()
    table.run("UPDATE {t} SET V = 'y' WHERE K = 7")
    table.run("DELETE FROM {t} WHERE K = 7")
    assert table.changes(end=between) == [(7, "x", "INSERT", False)] * 3
    assert table.changes(start=between) == [(7, "x", "DELETE", False)] * 3


def test_append_only_gives_added_rows_as_they_were_when_added(table: Tracked) -> None:
    table.run("INSERT INTO {t} VALUES (3, 'c'), (4, 'd')")
    table.run("UPDATE {t} SET V = 'z' WHERE K IN (1, 3)")
    table.run("DELETE FROM {t} WHERE K = 4")
    assert table.changes(kind="APPEND_ONLY") == [(3, "c", "INSERT", False), (4, "d", "INSERT", False)]


def test_uncommitted_changes_are_invisible_until_their_commit_and_then_in_the_next_window(
    table: Tracked, other_session: Any
) -> None:
    writer = other_session.cursor()
    writer.execute("BEGIN")
    writer.execute(f"INSERT INTO {table.name} VALUES (3, 'late')")
    end = table.now()
    assert table.changes(end=end) == []
    writer.execute("COMMIT")
    assert table.changes(end=end) == []
    assert table.changes(start=end) == [(3, "late", "INSERT", False)]


def test_a_rollback_leaves_nothing(table: Tracked) -> None:
    table.run("BEGIN")
    table.run("DELETE FROM {t}")
    table.run("ROLLBACK")
    assert table.changes() == []
    assert table.at(table.now()) == [(1, "a"), (2, "b")]


def test_windows_that_share_an_end_neither_repeat_nor_lose_a_row(table: Tracked) -> None:
    points = [table.since]
    for key in range(10, 20):
        table.run("INSERT INTO {t} VALUES (%s, 'n')", (key,))
        points.append(table.now())
    seen = [row for start, end in itertools.pairwise(points) for row in table.changes(start, end)]
    assert [row[0] for row in seen] == list(range(10, 20))


def test_at_gives_the_table_as_it_was(table: Tracked) -> None:
    table.run("UPDATE {t} SET V = 'z' WHERE K = 1")
    table.run("DELETE FROM {t} WHERE K = 2")
    assert table.at(table.since) == [(1, "a"), (2, "b")]
    assert table.at(table.now()) == [(1, "z")]


def test_points_may_be_statements_offsets_and_bound_values(
    table: Tracked, connect: Any, database: str
) -> None:
    cursor = table.session.cursor()
    cursor.execute(f"UPDATE {table.name} SET V = 'z' WHERE K = 1")
    statement = cursor.sfqid
    assert table.run(f"SELECT V FROM {{t}} BEFORE(STATEMENT => '{statement}') WHERE K = 1") == [("a",)]
    assert table.run(f"SELECT V FROM {{t}} AT(STATEMENT => '{statement}') WHERE K = 1") == [("z",)]
    assert table.run("SELECT V FROM {t} AT(OFFSET => 0) WHERE K = 1") == [("z",)]
    assert table.run(
        "SELECT K FROM {t} CHANGES(INFORMATION => DEFAULT) AT(TIMESTAMP => %s::TIMESTAMP_TZ) "
        "END(TIMESTAMP => TO_TIMESTAMP_TZ(%s))",
        (table.since, table.now()),
    ) == [(1,), (1,)]
    qmark = connect(database=database, schema="PUBLIC", paramstyle="qmark")
    sql = f"SELECT V FROM {table.name} AT(TIMESTAMP => ?::TIMESTAMP_TZ) WHERE K = ?"
    assert qmark.cursor().execute(sql, (table.since, 1)).fetchall() == [("a",)]
    qmark.close()


def test_all_spellings_of_one_instant_are_the_same_point(table: Tracked) -> None:
    table.run("INSERT INTO {t} VALUES (3, 'c')")
    instant = datetime.fromisoformat(table.since)
    text = instant.strftime("%Y-%m-%d %H:%M:%S.%f")
    for literal in (
        f"'{text} +0000'::TIMESTAMP_TZ",
        f"'{text} +00:00'::TIMESTAMP_LTZ",
        f"'{text}'::TIMESTAMP_NTZ",
    ):
        rows = table.run(f"SELECT K FROM {{t}} CHANGES(INFORMATION => DEFAULT) AT(TIMESTAMP => {literal})")
        assert rows == [(3,)]


def test_changes_join_filter_and_alias_like_any_table(table: Tracked) -> None:
    table.run("INSERT INTO {t} VALUES (3, 'c')")
    rows = table.run(
        f"SELECT c.K, t.V FROM {table.name} CHANGES(INFORMATION => DEFAULT) "
        f"AT(TIMESTAMP => '{table.since}'::TIMESTAMP_TZ) AS c JOIN {table.name} AS t ON t.K = c.K"
    )
    assert rows == [(3, "c")]


def test_columns_added_and_dropped_later_apply_to_old_images(table: Tracked) -> None:
    table.run("UPDATE {t} SET V = 'z' WHERE K = 1")
    table.run("ALTER TABLE {t} ADD COLUMN W INT")
    table.run("UPDATE {t} SET W = 5 WHERE K = 1")
    table.run("ALTER TABLE {t} DROP COLUMN V")
    table.run("DELETE FROM {t} WHERE K = 2")
    rows = table.run(
        "SELECT * FROM {t} CHANGES(INFORMATION => DEFAULT) "
        f"AT(TIMESTAMP => '{table.since}'::TIMESTAMP_TZ) ORDER BY 1, 3"
    )
    assert [row[:4] for row in rows] == [
        (1, None, "DELETE", True),
        (1, 5, "INSERT", True),
        (2, None, "DELETE", False),
    ]


def test_a_renamed_table_keeps_its_tracking(table: Tracked) -> None:
    old, table.name = table.name, next(NAMES)
    table.run(f"ALTER TABLE {old} RENAME TO {table.name}")
    table.run("UPDATE {t} SET V = 'z' WHERE K = 1")
    assert table.changes() == [(1, "a", "DELETE", True), (1, "z", "INSERT", True)]


def test_a_merge_shows_up_as_its_updates_and_inserts(table: Tracked) -> None:
    table.run(
        "MERGE INTO {t} t USING (SELECT 1 AS K, 'm' AS V UNION ALL SELECT 9, 'n') s ON t.K = s.K "
        "WHEN MATCHED THEN UPDATE SET V = s.V WHEN NOT MATCHED THEN INSERT (K, V) VALUES (s.K, s.V)"
    )
    assert table.changes() == [(1, "a", "DELETE", True), (1, "m", "INSERT", True), (9, "n", "INSERT", False)]


@pytest.mark.parametrize(
    ("statement", "errno", "sqlstate"),
    [
        ("ALTER TABLE {t} SET CHANGE_TRACKING = FALSE", 91930, "2F003"),
        ("CREATE OR REPLACE TABLE {t} (K INT, V VARCHAR)", 707, "02000"),
        ("CREATE OR REPLACE TABLE {t} (K INT, V VARCHAR) CHANGE_TRACKING = TRUE", 707, "02000"),
        ("DROP TABLE {t}", 2003, "42S02"),
    ],
)
def test_a_window_that_cannot_be_read_says_why(
    table: Tracked, statement: str, errno: int, sqlstate: str
) -> None:
    table.run(statement)
    with pytest.raises(ProgrammingError) as caught:
        table.changes()
    assert (caught.value.errno, caught.value.sqlstate) == (errno, sqlstate)


def test_tracking_switched_on_later_cannot_be_read_from_before(session: Any) -> None:
    table = Tracked(session)
    table.run("ALTER TABLE {t} SET CHANGE_TRACKING = FALSE")
    table.run("ALTER TABLE {t} SET CHANGE_TRACKING = TRUE")
    with pytest.raises(ProgrammingError) as caught:
        table.changes()
    assert caught.value.errno == 91930
    assert table.changes(start=table.now()) == []


def test_a_point_beyond_retention_has_no_time_travel_data(table: Tracked) -> None:
    table.run("ALTER TABLE {t} SET DATA_RETENTION_TIME_IN_DAYS = 7")
    for sql in (
        "SELECT * FROM {t} AT(OFFSET => -60*60*24*8)",
        "SELECT * FROM {t} AT(TIMESTAMP => '2020-01-01 00:00:00 +0000'::TIMESTAMP_TZ)",
    ):
        with pytest.raises(ProgrammingError) as caught:
            table.run(sql)
        assert (caught.value.errno, caught.value.sqlstate) == (707, "02000")


def test_a_point_of_changes_must_be_constant(table: Tracked) -> None:
    with pytest.raises(ProgrammingError, match="needs to be constant"):
        table.run(
            "SELECT * FROM {t} CHANGES(INFORMATION => DEFAULT) "
            "AT(TIMESTAMP => DATEADD('minute', -1, CURRENT_TIMESTAMP()))"
        )


def test_an_unknown_statement_is_not_a_point(table: Tracked) -> None:
    with pytest.raises(ProgrammingError, match="not found"):
        table.run("SELECT * FROM {t} AT(STATEMENT => '01b2-nope')")


def test_show_tables_tells_tracking_retention_and_creation(table: Tracked) -> None:
    table.run("ALTER TABLE {t} SET DATA_RETENTION_TIME_IN_DAYS = 3")
    cursor = table.session.cursor()
    cursor.execute(f"SHOW TABLES LIKE '{table.name}' IN SCHEMA PUBLIC")
    row = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
    assert (row["change_tracking"], row["retention_time"], row["rows"]) == ("ON", "3", 2)
    assert row["created_on"] < datetime.fromisoformat(table.since)
    table.run("ALTER TABLE {t} SET CHANGE_TRACKING = FALSE")
    cursor.execute(f"SHOW TABLES LIKE '{table.name}'")
    assert "OFF" in cursor.fetchone()


def test_the_last_change_grows_with_each_commit_that_changes_rows(table: Tracked) -> None:
    def token() -> int:
        return table.run("SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('{t}')")[0][0]

    before = token()
    altered = table.run("SELECT LAST_ALTERED FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = '{t}'")
    table.run("DELETE FROM {t} WHERE K = 99")
    assert token() == before
    table.run("DELETE FROM {t} WHERE K = 1")
    assert token() > before
    assert table.run("SELECT LAST_ALTERED FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = '{t}'") > altered


def test_a_tracked_view_shows_the_changes_its_query_lets_through(table: Tracked) -> None:
    base, view = table.name, f"V_{table.name}"
    table.run(f"CREATE VIEW {view} AS SELECT K, UPPER(V) AS V FROM {base} WHERE K < 10")
    table.run(f"ALTER VIEW {view} SET CHANGE_TRACKING = TRUE")
    since = table.now()
    table.run("UPDATE {t} SET K = 11 WHERE K = 1")
    table.run("UPDATE {t} SET V = 'B' WHERE K = 2")
    table.run("INSERT INTO {t} VALUES (3, 'c'), (12, 'd')")
    table.name = view
    assert table.changes(start=since) == [(1, "A", "DELETE", False), (3, "C", "INSERT", False)]
    assert table.changes(start=since, kind="APPEND_ONLY") == [(3, "C", "INSERT", False)]
    assert table.at(since) == [(1, "A"), (2, "B")]
    with pytest.raises(ProgrammingError) as caught:
        table.changes()
    assert caught.value.errno == 91930
    shown = table.session.cursor().execute(f"SHOW VIEWS LIKE '{view}'").fetchone()
    assert shown[-1] == "ON"


def test_a_view_that_groups_is_not_tracked(table: Tracked) -> None:
    table.run("CREATE VIEW G_{t} AS SELECT V, COUNT(*) AS N FROM {t} GROUP BY V")
    with pytest.raises(ProgrammingError, match="not a simple one"):
        table.run("ALTER VIEW G_{t} SET CHANGE_TRACKING = TRUE")
