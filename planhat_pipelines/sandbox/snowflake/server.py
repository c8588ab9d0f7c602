"""The server's HTTP face: sign-in, statements and the end of a session, as the connector asks for them."""

from __future__ import annotations

import gzip
import json
import secrets
from typing import Any

from fakesnow.expr import normalise_ident
from fakesnow.transforms import SERVER_VERSION
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from planhat_pipelines.sandbox.snowflake.account import Account
from planhat_pipelines.sandbox.snowflake.connection import Connection
from planhat_pipelines.sandbox.snowflake.session import Session
from planhat_pipelines.sandbox.snowflake.sign_in import SignIn, SignInRefusedError

NO_SUCH_DEFAULT = 390201
SESSION_GONE = 390104
AUTHORIZATION_PREFIX = 'Snowflake Token="'


class Server:
    """Answers the connector. `create_missing` makes databases and schemas named at connect; meant for seeding."""

    def __init__(self, account: Account, sign_in: SignIn, *, create_missing: bool = False) -> None:
        self._account = account
        self._sign_in = sign_in
        self._create_missing = create_missing
        self._sessions: dict[str, Session] = {}

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/session/v1/login-request", self._login, methods=["POST"]),
                Route("/session", self._session, methods=["POST"]),
                Route("/session/heartbeat", self._session, methods=["POST"]),
                Route("/queries/v1/query-request", self._query, methods=["POST"]),
                Route("/queries/v1/abort-request", self._abort, methods=["POST"]),
                Route("/monitoring/queries/{query_id}", self._monitor, methods=["GET"]),
                Route("/results/{key}", self._result_part, methods=["GET"]),
                Route("/telemetry/send", self._telemetry, methods=["POST"]),
            ]
        )

    def interrupt(self) -> None:
        """Break off every statement that is running."""
        for session in list(self._sessions.values()):
            session.connection.duck.interrupt()

    async def _login(self, request: Request) -> JSONResponse:
        login: dict[str, Any] = (await _body(request))["data"]
        asked = dict(request.query_params)
        address = str(request.base_url).rstrip("/")
        return JSONResponse(await run_in_threadpool(self._sign_in_answer, login, asked, address))

    def _sign_in_answer(self, login: dict[str, Any], asked: dict[str, str], address: str) -> dict[str, Any]:
        try:
            user = self._sign_in.verify(login)
        except SignInRefusedError as refused:
            return _refusal(refused.code, refused.text)
        database, schema = _identifier(asked.get("databaseName")), _identifier(asked.get("schemaName"))
        parameters: dict[str, Any] = login.get("SESSION_PARAMETERS") or {}
        if self._create_missing:
            self._make(database, schema)
        connection = Connection(
            self._account,
            user=user.name,
            role=_identifier(asked.get("roleName")) or user.role,
            warehouse=_identifier(asked.get("warehouse")) or user.warehouse,
            database=database,
            schema=schema,
            parameters=parameters,
        )
        missing = _missing(connection, database, schema)
        if missing and parameters.get("CLIENT_VALIDATE_DEFAULT_PARAMETERS"):
            connection.close()
            return _refusal(NO_SUCH_DEFAULT, f"The requested {missing} does not exist or not authorized.")
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(connection, address)
        return {"data": _welcome(token, connection), "code": None, "message": None, "success": True}

    def _make(self, database: str | None, schema: str | None) -> None:
        with self._account.lock:
            if database and not self._account.has_database(database):
                self._account.open_database(database)
            if database and schema:
                self._account.open_schema(database, schema)

    async def _query(self, request: Request) -> JSONResponse:
        session = self._sessions.get(_token(request))
        if session is None:
            return _gone()
        body = await _body(request)
        request_id = request.query_params.get("requestId") or secrets.token_hex(16)
        return JSONResponse(await run_in_threadpool(session.answer, request_id, body))

    async def _session(self, request: Request) -> JSONResponse:
        token = _token(request)
        session = self._sessions.get(token)
        if session is None:
            return _gone()
        if request.query_params.get("delete"):
            self._sessions.pop(token, None)
            await run_in_threadpool(session.close)
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    async def _abort(self, request: Request) -> JSONResponse:
        session = self._sessions.get(_token(request))
        if session is not None:
            session.connection.duck.interrupt()
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    async def _monitor(self, request: Request) -> JSONResponse:
        known = request.path_params["query_id"] in self._account.results
        return JSONResponse({"data": {"queries": [{"status": "SUCCESS"}] if known else []}, "success": True})

    async def _result_part(self, request: Request) -> Response:
        part = self._account.result_parts.get(request.path_params["key"])
        return (
            Response(status_code=404)
            if part is None
            else Response(part, media_type="application/octet-stream")
        )

    async def _telemetry(self, _: Request) -> JSONResponse:
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})


def _welcome(token: str, connection: Connection) -> dict[str, Any]:
    autocommit = bool(connection.parameters.get("AUTOCOMMIT", True))
    return {
        "token": token,
        "masterToken": secrets.token_urlsafe(32),
        "validityInSeconds": 3600,
        "masterValidityInSeconds": 14400,
        "sessionId": connection.session_id,
        "serverVersion": SERVER_VERSION,
        "parameters": [
            {"name": "AUTOCOMMIT", "value": autocommit},
            {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
            # 0: array bindings come with the statement, not by way of a stage
            {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
        ],
        "sessionInfo": {
            "databaseName": connection.database,
            "schemaName": connection.schema,
            "warehouseName": connection.warehouse,
            "roleName": connection.role,
        },
    }


def _missing(connection: Connection, database: str | None, schema: str | None) -> str | None:
    if database and connection.database != database:
        return "database"
    return "schema" if schema and connection.schema != schema else None


def _refusal(code: int, text: str) -> dict[str, Any]:
    return {"data": {"nextAction": "RETRY_LOGIN"}, "code": str(code), "message": text, "success": False}


def _gone() -> JSONResponse:
    return JSONResponse(_refusal(SESSION_GONE, "User must login again to access the service."))


def _identifier(name: str | None) -> str | None:
    return normalise_ident(name) if name else None


def _token(request: Request) -> str:
    return request.headers.get("Authorization", "")[len(AUTHORIZATION_PREFIX) : -1]


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    return json.loads(gzip.decompress(raw) if request.headers.get("Content-Encoding") == "gzip" else raw)
