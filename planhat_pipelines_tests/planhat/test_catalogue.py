from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from planhat_pipelines.planhat.catalogue import MODELS, UnknownModel, model, with_article

USER_FACING = (
    "company enduser license opportunity sale deal line_item product asset project task objective issue nps "
    "invoice churn conversation note ticket campaign workspace user time_entry timesheet"
)


def test_every_model_a_user_may_name_is_there_and_custom_fields_too():
    assert set(MODELS) == {*USER_FACING.split(), "custom_field"}


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_is_consistent_with_itself(name: str):
    m = model(name)
    assert m.name == name
    assert m.keys[0] == "_id"
    assert set(m.keys) <= set(m.fields)
    assert m.fields[m.created_stamp].read_only
    assert m.fields[m.updated_stamp].read_only
    assert 0 < m.page_default <= m.page_max
    assert m.company_field is None or m.company_field in m.fields
    assert all(field in m.fields for group in m.one_of for field in group)
    assert not [f.name for f in m.fields.values() if f.required and f.read_only]


def test_a_model_has_the_article_that_english_gives_it():
    said = {with_article(m.title) for m in MODELS.values()}
    assert {"a Company", "an End User", "an Issue", "an NPS", "an Opportunity", "a Note", "a User"} <= said


def test_keys_stand_in_planhats_order_of_precedence():
    assert model("company").keys == ("_id", "sourceId", "externalId")
    assert model("enduser").keys == ("_id", "sourceId", "externalId", "email")
    assert model("conversation").keys == ("_id", "externalId")
    assert model("task").keys == ("_id", "sourceId")
    assert model("timesheet").keys == ("_id",)


def test_the_company_of_a_record_has_the_models_own_name():
    assert model("asset").company_field == "companyId"
    assert model("invoice").company_field == "cId"
    assert model("nps").company_field == "cId"
    assert model("issue").company_field == "companyIds"
    assert not model("issue").company_required
    assert model("user").company_field is None
    assert model("line_item").fields["dealId"].required


def test_paths_are_the_ones_that_planhat_answers():
    assert model("note").path == model("conversation").path == "conversations"
    assert model("churn").path == "churn"
    assert model("line_item").path == "lineitems"


def test_invoice_dates_are_day_numbers_and_company_money_is_computed():
    assert model("invoice").fields["invoiceDate"].kind == "day_number"
    assert model("company").fields["mrr"].read_only
    assert model("company").fields["status"].values == ("prospect", "coming", "customer", "canceled", "lost")
    assert "rich text" in model("custom_field").fields["type"].values


def test_only_four_models_carry_metrics():
    assert {m.parent for m in MODELS.values() if m.metrics} == {"Company", "EndUser", "Asset", "Project"}


def test_tickets_have_no_single_calls_and_custom_fields_no_bulk():
    assert [m.name for m in MODELS.values() if not m.single] == ["ticket"]
    assert [m.name for m in MODELS.values() if not m.bulk] == ["custom_field"]


def test_a_misspelt_model_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownModel, match=r"no model 'licence'. Did you mean 'license'\?"):
        model("licence")
    with pytest.raises(KeyError, match="Known models: company"):
        model("zzzzzz")


def test_the_catalogue_cannot_be_changed():
    with pytest.raises(TypeError):
        MODELS["company"] = model("user")  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        model("company").path = "x"  # type: ignore[misc]


def test_loading_costs_less_than_thirty_milliseconds_of_cpu():
    timed = (
        "import dataclasses, pathlib, re, time, typing, yaml; t = time.process_time(); "
        "import planhat_pipelines.planhat.catalogue; print(time.process_time() - t)"
    )
    best = min(
        float(
            subprocess.run(
                [sys.executable, "-c", timed], capture_output=True, text=True, check=True, timeout=30
            ).stdout
        )
        for _ in range(3)
    )
    assert best < 0.03
