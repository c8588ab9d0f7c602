"""Columns that Snowflake guards are found, and go to Planhat only where the sync says that they may."""

from __future__ import annotations

import pytest

from planhat_pipelines.engine.syncs.sensitive import hold_back_sensitive
from planhat_pipelines.mapping.columns import MappingError
from planhat_pipelines.snowflake.policies import Guarded, guarded
from planhat_pipelines.snowflake.tables import Table
from planhat_pipelines_tests.e2e.place import Place
from planhat_pipelines_tests.records.crm import Crm


def the_table(place: Place) -> Table:
    return Table(*place.table.split("."))


def guard(place: Place) -> None:
    """NAME gets a masking policy, CITY a tag."""
    place.sql("CREATE OR REPLACE MASKING POLICY E2E.PUBLIC.MASK AS (val STRING) RETURNS STRING -> '***'")
    place.sql("CREATE TAG IF NOT EXISTS E2E.PUBLIC.Pii")
    place.sql("ALTER TABLE {table} MODIFY COLUMN NAME SET MASKING POLICY E2E.PUBLIC.MASK")
    place.sql("ALTER TABLE {table} MODIFY COLUMN CITY SET TAG E2E.PUBLIC.pii = 'city'")


def test_policies_and_pii_tags_are_found_until_they_are_taken_off(place: Place) -> None:
    crm = Crm(place)
    crm.accounts()
    assert guarded(place.session, the_table(place)) == Guarded({})
    guard(place)
    place.sql("ALTER TABLE {table} ALTER COLUMN NOTE SET TAG PII = 'no'")
    place.sql("ALTER TABLE {table} MODIFY COLUMN ID SET TAG COST_CENTRE = 'pii'")
    expected = {"NAME": ["masking policy MASK"], "CITY": ["tag PII"]}
    assert guarded(place.session, the_table(place)) == Guarded(expected)
    place.sql("ALTER TABLE {table} MODIFY COLUMN NAME UNSET MASKING POLICY")
    place.sql("ALTER TABLE {table} MODIFY COLUMN CITY UNSET TAG PII")
    assert guarded(place.session, the_table(place)) == Guarded({})


def test_what_snowflake_will_not_tell_is_said_and_stops_nothing(place: Place) -> None:
    spec = Crm(place).spec(table="E2E.PUBLIC.NOWHERE")
    said = hold_back_sensitive(spec, place.session)
    assert said.startswith(
        "sends no column that Snowflake guards; the role could not ask for masking policies ("
    )
    assert "and tags (" in said


def test_a_view_has_policies_of_its_own_and_a_table_made_anew_has_none(place: Place) -> None:
    crm = Crm(place)
    crm.accounts()
    guard(place)
    place.sql("CREATE OR REPLACE VIEW {table}_V AS SELECT * FROM {table}")
    view = Table("E2E", "PUBLIC", f"{the_table(place).name}_V")
    assert guarded(place.session, view) == Guarded({})
    place.sql("ALTER VIEW {table}_V MODIFY COLUMN NAME SET MASKING POLICY MASK")
    assert guarded(place.session, view) == Guarded({"NAME": ["masking policy MASK"]})
    place.sql("DROP VIEW {table}_V")
    crm.accounts()
    assert guarded(place.session, the_table(place)) == Guarded({})


def test_a_run_that_would_send_a_guarded_column_stops_before_it_sends_anything_and_names_the_cure(
    place: Place,
) -> None:
    crm = Crm(place)
    crm.accounts(("a1", "One", "Rome"))
    guard(place)
    with pytest.raises(MappingError) as refused:
        crm.run()
    text = str(refused.value)
    assert "NAME (masking policy MASK) as name, CITY (tag PII) as city" in text
    assert "write `sensitive: [NAME, CITY]` in the sync" in text
    assert not crm.held()
    with pytest.raises(MappingError, match=r"sensitive: \[CITY\]"):
        crm.run(crm.spec(sensitive=["name"]))
    allowed = crm.spec(sensitive=["NAME", "CITY"])
    assert hold_back_sensitive(allowed, place.session) == "sends CITY, NAME, as the sync says"
    crm.run(allowed)
    assert crm.names() == {"a1": "One"}


def test_a_usage_sync_holds_guarded_columns_back_too(place: Place) -> None:
    place.companies("c1")
    place.seats([(1, "c1", "2026-01-01", 5)])
    assert hold_back_sensitive(place.spec(), place.session) == "sends no column that Snowflake guards"
    place.sql("ALTER TABLE {table} MODIFY COLUMN SEATS SET TAG PII = 'yes'")
    with pytest.raises(MappingError, match=r"SEATS \(tag PII\) as seats"):
        place.run()
    place.run(place.spec(sensitive=["SEATS"]))
    assert place.points()
