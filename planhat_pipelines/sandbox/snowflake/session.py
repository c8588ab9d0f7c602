"""One session over HTTP: its statements one after the other, each request answered once."""

from __future__ import annotations

import secrets
import threading
import uuid
from typing import Any

from fakesnow import rowtype as rowtypes
from fakesnow.dialect import parse_one
from fakesnow.statement_type import DML_TYPE_IDS, statement_type_id

from planhat_pipelines.sandbox.snowflake import real_world
from planhat_pipelines.sandbox.snowflake.bindings import bound_rows
from planhat_pipelines.sandbox.snowflake.bounded import Bounded
from planhat_pipelines.sandbox.snowflake.connection import Connection
from planhat_pipelines.sandbox.snowflake.errors import as_snowflake_error, problem
from planhat_pipelines.sandbox.snowflake.results import arrow_rows, arrow_stream, json_rows

ANSWERS_KEPT = 2


class Session:
    """Runs the statements of one signed-in client.

    The connector sends a request again, under the same id, when it heard no answer. The first run's answer is kept
    and given again, so that no statement runs twice.
    """

    def __init__(self, connection: Connection, address: str) -> None:
        self.connection = connection
        self.address = address
        self._lock = threading.Lock()
        self._answers: dict[str, dict[str, Any]] = Bounded(ANSWERS_KEPT)

    def answer(self, request_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a query request, from memory when the request id was answered before."""
        with self._lock:
            if request_id not in self._answers:
                self._answers[request_id] = self._first_answer(body)
            return self._answers[request_id]

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        with self._lock:
            self.connection.close()

    def _first_answer(self, body: dict[str, Any]) -> dict[str, Any]:
        cursor = self.connection.cursor()
        try:
            data = self._run(cursor, str(body["sqlText"]), body)
        except Exception as error:
            problem = as_snowflake_error(error)
            code = f"{problem.errno:06d}"
            data = {"errorCode": code, "sqlState": problem.sqlstate, "queryId": str(uuid.uuid4())}
            return {"data": data, "code": code, "message": problem.raw_msg, "success": False}
        return {"data": data, "code": None, "message": None, "success": True}

    def _run(self, cursor: Any, sql: str, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("describeOnly"):
            return self._described(cursor, sql)
        rows = bound_rows(body.get("bindings") or {})
        total = cursor.execute_rows(sql, rows) if len(rows) > 1 else None
        if total is None:
            cursor.execute(sql, binding_params=rows[0])
        if cursor.upload:
            return cursor.upload
        return self._result(cursor, total)

    def _described(self, cursor: Any, sql: str) -> dict[str, Any]:
        described = cursor.describe_only(sql)
        if described is None:
            raise problem(2, "0A000", "Unsupported feature: describe this statement without running it")
        return self._envelope(cursor) | {
            "statementTypeId": statement_type_id(parse_one(sql)),
            "rowtype": rowtypes.describe_as_rowtype(described),
            "total": 0,
            "queryResultFormat": "arrow",
            "rowsetBase64": "",
        }

    def _result(self, cursor: Any, batch_total: int | None) -> dict[str, Any]:
        rowtype = rowtypes.describe_as_rowtype(cursor.columns)
        table = cursor.table
        if batch_total is not None:
            rows: dict[str, Any] = {"queryResultFormat": "json", "rowset": [[str(batch_total)]]}
        elif cursor.type_id in DML_TYPE_IDS:
            rows = json_rows(table)
        elif self.connection.account.real_world:
            rows = self._in_batches(real_world.batches(table, rowtype), rowtype)
        else:
            rows = arrow_rows(table, rowtype)
        return self._envelope(cursor) | {"rowtype": rowtype, "total": table.num_rows} | rows

    def _in_batches(self, batches: list[Any], rowtype: list[rowtypes.ColumnInfo]) -> dict[str, Any]:
        """The first batch in the answer, the others behind links."""
        links: list[dict[str, Any]] = []
        for batch in batches[1:]:
            stream = arrow_stream(batch, rowtype).to_pybytes()
            key = secrets.token_urlsafe(16)
            self.connection.account.result_parts[key] = stream
            size = {"uncompressedSize": len(stream), "compressedSize": len(stream)}
            links.append({"url": f"{self.address}/results/{key}", "rowCount": batch.num_rows} | size)
        return arrow_rows(batches[0], rowtype) | ({"chunks": links} if links else {})

    def _envelope(self, cursor: Any) -> dict[str, Any]:
        connection = self.connection
        return {
            "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}],
            "queryId": cursor.sfqid,
            "statementTypeId": cursor.type_id,
            "finalDatabaseName": connection.database,
            "finalSchemaName": connection.schema,
            "finalWarehouseName": connection.warehouse,
            "finalRoleName": connection.role,
        }
