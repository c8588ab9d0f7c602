"""Does Planhat hold the records that the ledger says it was sent, with the values they were sent with?

Proven: of every key that was sent and not refused, whether Planhat lists a record with it. Of a sample, whether each
mapped field has the value that was sent: the ledger keeps a fingerprint of a record and not its values, so the row is
read and mapped again, and where that gives the same fingerprint, its values are those that were sent. Rows that have
changed since, or are gone from the source, prove nothing and are counted apart; files are not read again, so of their
records the keys are all that is looked at.

Not proven: that nobody else writes the same fields (a difference does not say who made it), and anything about
records that no sync sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from planhat_pipelines.engine.checks.verified import Verified
from planhat_pipelines.engine.destinations.known import ARCHIVED
from planhat_pipelines.ledger import Ledger
from planhat_pipelines.mapping.addresses import private
from planhat_pipelines.mapping.canonical import Form
from planhat_pipelines.mapping.columns import ROW
from planhat_pipelines.mapping.fingerprint import text_fingerprints
from planhat_pipelines.mapping.records import RecordsMapping
from planhat_pipelines.mapping.targets import known_targets
from planhat_pipelines.planhat.catalogue import Kind, model
from planhat_pipelines.planhat.client import Planhat
from planhat_pipelines.planhat.errors import OutOfCalls
from planhat_pipelines.planhat.lookups import custom_fields, targets
from planhat_pipelines.planhat.reading import CUSTOM_KINDS, View

Rows = Callable[[Sequence[str]], Iterator[pl.DataFrame]]

_HELD = " held"
_SINGLY = 20  # missing records that are asked for by themselves
_CURE = "planhat-pipelines verify {sync} --heal lets {what} send these records again."


@dataclass
class RecordsCheck:
    """One look at the records of one sync. `planhat`: a client with a limit of calls. `rows`: rows of the source by
    key; None where they cannot be read again. `unmapped`: a field that the sync sets by itself."""

    sync: str
    planhat: Planhat
    ledger: Ledger
    mapping: RecordsMapping
    company_id: str
    rows: Rows | None
    sample: int
    seed: int
    unmapped: str | None = None
    account: Verified = field(init=False)

    def look(self) -> Verified:
        """Read what Planhat holds, as far as the calls go. Raises PlanhatError."""
        self.account = Verified(self.sync, from_source=self.rows is not None)
        sent = self._sent()
        chosen = sent.sample(min(self.sample, sent.height), seed=self.seed)
        looked = self.account.looked = {"records sent": sent.height}
        read, found, kept, whole = 0, set[str](), list[pl.DataFrame](), True
        try:
            for page in self._pages():
                read += page.height
                found.update(page["key"])
                kept.append(page.join(chosen, on="key", how="semi"))
        except OutOfCalls:
            whole = False
        missing = sent.filter(~pl.col("key").is_in(list(found)))["key"]
        looked["looked for"] = sent.height if whole else sent.height - len(missing)
        if whole:
            self._missing(missing)
        else:
            self.account.notes.append(
                f"The calls were used up after {read:,} records of Planhat, so that nothing is said of "
                f"{len(missing):,} that were not among them. Allow more calls to see all."
            )
        if self.rows is None:
            self.account.notes.append("Files are not read again, so that values were not compared.")
        elif kept and chosen.height:
            try:
                self._compare(chosen, pl.concat(kept), self.rows)
            except OutOfCalls:
                self.account.notes.append("The calls were used up, so that no values were compared.")
        if not self.account.is_well:
            self.account.cure = _CURE.format(
                sync=self.sync, what="the next run" if self.rows else "the next file that has them"
            )
        return self.account

    def _sent(self) -> pl.DataFrame:
        """What Planhat took by now: `key` and `hash`."""
        refused = {
            name for each in self.ledger.rejections(self.sync) for name in (each.row, each.key) if name
        }
        return self.ledger.records(self.sync).filter(
            pl.col("hash") != ARCHIVED, ~pl.col("key").is_in(list(refused))
        )

    def _pages(self) -> Iterator[pl.DataFrame]:
        """Planhat's records that have a key, as `key`, with the compared fields, all as text."""
        into, key = self.mapping.model, self.mapping.key
        kinds: dict[str, Kind] = {
            f"custom.{each.name}": CUSTOM_KINDS.get(each.type, "text")
            for each in custom_fields(self.planhat, into)
        }
        wanted = [key, *self._forms]
        view = View.of(into, wanted, kinds=kinds)
        for page in self.planhat.rows(f"/{into.path}", {**view.params, "sort": "_id"}, into.page_max):
            held = view.frame(page).filter(pl.col(key).is_not_null())
            yield held.with_columns(private(held[key], key).alias("key"))

    @property
    def _forms(self) -> dict[str, Form]:
        """How the values of each compared field are compared."""
        forms = {
            each.label: Form(each.kind, "text", None, each.timezone)
            for each in self.mapping.fields
            if each.label != self.unmapped
        }
        whose = self.mapping.model.company_field
        if self.mapping.company and whose and whose != "companyIds":
            forms[whose] = Form("text", "text")
        return forms

    def _missing(self, keys: pl.Series) -> None:
        """Those that a list did not show are asked for, as it may have moved, and hides archived end users."""
        into, key = self.mapping.model, self.mapping.key
        if into.single and key != "email" and len(keys) <= _SINGLY:
            try:
                gone = [self.planhat.record(into, key, each) is None for each in keys]
                keys = keys.filter(pl.Series(gone, dtype=pl.Boolean))
            except OutOfCalls:
                self.account.notes.append("The calls were used up before each missing record was asked for.")
        self.account.add("missing", len(keys), ((each, "") for each in keys))
        self.account.again += keys.to_list()

    def _compare(self, chosen: pl.DataFrame, held: pl.DataFrame, rows: Rows) -> None:
        companies = None
        if self.mapping.company:
            companies = known_targets(targets(self.planhat, model("company")), self.company_id)
        mapped = [self._mapped(each, companies) for each in rows(chosen["key"].to_list()) if each.height]
        if not mapped:
            return
        ours = pl.concat(mapped).join(chosen, on=["key", "hash"], how="semi")
        theirs = held.select(
            "key",
            *(
                form.comparable(form.of_planhat(pl.col(name))).alias(name)
                for name, form in self._forms.items()
            ),
        )
        # Keys of some models are unique within a company only: one of the records has to be as it was sent.
        differ = (
            ours.join(theirs, on="key", suffix=_HELD)
            .group_by("key")
            .agg(self._differs(name).all() for name in self._forms)
        )
        unlike = differ.filter(pl.any_horizontal(pl.exclude("key"))).sort("key")
        named = [
            (row["key"], ", ".join(name for name in self._forms if row[name]))
            for row in unlike.iter_rows(named=True)
        ]
        self.account.looked["compared"] = differ.height
        self.account.add("differs", len(named), named)
        self.account.again += [key for key, _ in named]
        if left := chosen.height - ours.height:
            self.account.notes.append(
                f"{left:,} sampled rows have changed since they were sent, or are gone, and were not compared."
            )

    def _differs(self, name: str) -> pl.Expr:
        ours, theirs = pl.col(name), pl.col(name + _HELD)
        left = any(each.label == name and not each.clear for each in self.mapping.fields)
        sent = ours.is_not_null() if left else pl.lit(True)  # an empty value may leave the field as it is
        return (sent & ours.ne_missing(theirs)).alias(name)

    def _mapped(self, rows: pl.DataFrame, companies: pl.DataFrame | None) -> pl.DataFrame:
        """`key`, the `hash` of what would be sent now, and each compared field."""
        mapped, values = self.mapping.computed(rows, companies)
        texts = {
            each.label: form.comparable(form.of_value(value))
            for each, value in zip(self.mapping.fields, values, strict=True)
            if (form := self._forms.get(each.label))
        }
        whose = {name: pl.col("company_id") for name in self._forms if name not in texts}
        hashed = text_fingerprints(self.mapping.bodies(mapped.ready, values)).alias("hash")
        compared = [text.alias(name) for name, text in (texts | whose).items()]
        return mapped.ready.with_columns(hashed).select(pl.col(ROW).alias("key"), "hash", *compared)
