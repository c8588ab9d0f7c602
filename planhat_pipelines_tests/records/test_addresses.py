"""Rows that are known by an e-mail address, of which the ledger keeps no more than a hash."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from planhat_pipelines.engine.plans.review import planned
from planhat_pipelines.mapping.addresses import hidden
from planhat_pipelines_tests.records.crm import Crm, of

ANN, BEN, CAT, DAN = "ann@x.io", "ben@y.io", "cat@z.io", "dan ö'\"@x.io"


@pytest.fixture
def people(crm: Crm) -> tuple[Crm, Any]:
    """Contacts known by their address: one waits for its company, one has none."""
    crm.place.companies("c")
    crm.table_of(
        "ID VARCHAR, ACC VARCHAR, FIRST VARCHAR",
        *((ANN, "c", "Ann"), (f" {DAN} ", "c", "Dan"), (BEN, "later", "Ben"), (CAT, None, "Cat")),
    )
    return crm, crm.spec(
        model="enduser",
        key={"column": "ID", "field": "email"},
        company={"column": "ACC"},
        fields=[{"column": "FIRST", "field": "firstName"}],
    )


def held(crm: Crm) -> dict[str, Any]:
    return {key: each["firstName"] for key, each in crm.held("enduser", "email").items()}


def stored(crm: Crm) -> bytes:
    """Everything that the ledger has written."""
    folder = Path(str(crm.ledger.database.url.database)).parent
    return b"".join(path.read_bytes() for path in folder.glob("ledger*") if path.is_file())


def test_people_who_are_known_by_their_address_are_followed_through_hashes(people: tuple[Crm, Any]) -> None:
    crm, spec = people
    report = crm.run(spec)
    assert of(report) == {"created": 2, "parked": 1, "refused": 1}
    assert held(crm) == {ANN: "Ann", DAN: "Dan"}
    assert set(crm.ledger.records("accounts")["key"]) == {hidden(ANN), hidden(DAN)}
    assert [each.row for each in crm.ledger.parked()] == [hidden(BEN)]
    assert [(each.row, each.key) for each in crm.ledger.rejections()] == [(hidden(CAT), hidden(CAT))]
    assert [each.key for each in report.sample] == ["c…@z.io"]
    crm.sql("UPDATE {table} SET FIRST = 'Anna' WHERE ID = 'ann@x.io'")
    assert of(crm.run(spec)) == {"updated": 1}
    crm.place.companies("later")
    crm.sql("UPDATE {table} SET ACC = 'c' WHERE ID = 'cat@z.io'")
    assert of(crm.run(spec)) == {"created": 2}
    assert held(crm) == {ANN: "Anna", BEN: "Ben", CAT: "Cat", DAN: "Dan"}
    assert (crm.ledger.parked(), crm.ledger.rejections()) == ([], [])
    crm.sql("DELETE FROM {table} WHERE ID = 'ann@x.io'")
    assert of(crm.run(spec)) == {"unchanged": 1}
    assert of(crm.run(spec, full=True)) == {"unchanged": 3}
    content = stored(crm)
    assert hidden(BEN).encode() in content
    assert not [address for address in (b"@x.io", b"@y.io", b"@z.io") if address in content]


def test_who_planhat_refuses_stays_refused_until_the_row_changes_and_is_kept_as_a_hash(
    people: tuple[Crm, Any],
) -> None:
    crm, spec = people
    crm.fault("partial", "enduser", keys=[ANN])
    assert of(crm.run(spec)) == {"created": 1, "parked": 1, "refused": 2}
    crm.place.calm()
    assert {each.key for each in crm.ledger.rejections()} == {hidden(ANN), hidden(CAT)}
    report = crm.run(spec, full=True)
    assert (of(report), report.items_sent) == ({"unchanged": 1, "parked": 1, "refused": 2}, 0)
    crm.sql("UPDATE {table} SET FIRST = 'Anna' WHERE ID = 'ann@x.io'")
    assert of(crm.run(spec)) == {"created": 1}
    assert b"@x.io" not in stored(crm)


def test_a_plan_shows_addresses_masked(people: tuple[Crm, Any]) -> None:
    crm, spec = people
    with crm.place.client() as planhat:
        plan = planned(spec, planhat, lambda: nullcontext(crm.sync(spec, planhat)))
    assert {key for key, _ in plan.sample["created"]} == {"a…@x.io", "d…@x.io"}
    assert [key for key, _ in plan.sample["refused"]] == ["c…@z.io"]
    assert [key for key, _ in plan.sample["parked"]] == [hidden(BEN)]
