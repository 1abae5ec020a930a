"""The table of the API's operations: each is declared once, and answered and described from that.

To add a noun, write a module beside this one with functions like

    @operation("GET /datasets/<int:dataset_id>", tag="Datasets", answer=DatasetJson, errors=(404,))
    def show(dataset_id: int) -> DatasetJson:
        '''One dataset. The first line is its summary, the rest its description.'''

and name the module in ``app/web/api/__init__.py``; a new tag stands in ``TAGS`` as well. ``query``
and ``body`` are pydantic models: the function gets a checked instance as ``query=`` or ``body=``,
and a caller who sent nonsense gets a 422 with a sentence at each field. With ``as_sent=True`` the
body is only described by its model and arrives as the plain object. ``answer=None`` answers 204.
Errors are raised as ``UserError``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import InvalidSpecError, UserError

F = TypeVar("F", bound=Callable[..., Any])
bp = Blueprint("api", __name__, url_prefix="/api/v1")


class Given(BaseModel):
    """Base of what a caller sends: unknown names are refused, so that a typing error is told."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class Answer(BaseModel):
    """Base of what we send. Built when it is first needed (under a lock, in this pydantic): there are
    dozens, and most never are."""

    model_config = ConfigDict(defer_build=True)


class UnsupportedBodyError(UserError):
    """The body is no JSON."""

    status = 415


class WrongQuery(InvalidSpecError):  # noqa: N818
    """Parameters or a body that the operation does not take."""


@dataclass(frozen=True)
class Operation:
    """One row of the table. ``path`` is Flask's rule below /api/v1."""

    method: str
    path: str
    tag: str
    call: Callable[..., Any]
    answer: type[BaseModel] | None
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    as_sent: bool
    status: int
    errors: tuple[int, ...]

    @property
    def name(self) -> str:
        """Unique, such as ``jobs_submit``."""
        return f"{self.call.__module__.rpartition('.')[2]}_{self.call.__name__}"

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.call) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        return (inspect.getdoc(self.call) or "").partition("\n")[2].strip()

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it: ``/jobs/{job_id}``."""
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.path)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """(converter, name) of each part of the path that varies."""
        return [(k or "string", n) for k, n in re.findall(r"<(?:(\w+):)?(\w+)>", self.path)]

    @property
    def failures(self) -> tuple[int, ...]:
        """Every status of an error that it may answer with."""
        more = {401}
        if self.query or self.body:
            more.add(422)
        if self.body:
            more |= {413, 415}
        if self.parameters:
            more |= {404, 405}
        if self.method != "GET":
            more.add(403)
        return tuple(sorted(more | set(self.errors)))


OPERATIONS: list[Operation] = []
TAGS = (
    "Jobs", "Outputs", "Datasets", "Models", "Queue", "Machine", "Costs", "Copies", "Notifications", "Tasks",
)  # fmt: skip
"""The chapters of the reference, what people look for first in front."""


def in_order() -> list[Operation]:
    """The table by chapters."""
    return sorted(OPERATIONS, key=lambda op: TAGS.index(op.tag))


def operation(
    rule: str,
    *,
    tag: str,
    answer: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    as_sent: bool = False,
    status: int = 200,
    errors: tuple[int, ...] = (),
) -> Callable[[F], F]:
    """Add a function to the table and to the addresses. ``rule`` is ``METHOD /path``."""
    method, path = rule.split(" ", 1)

    def add(call: F) -> F:
        code = status if answer else 204
        made = Operation(method, path, tag, call, answer, query, body, as_sent, code, errors)
        OPERATIONS.append(made)
        bp.add_url_rule(path, made.name, _view(made), methods=[method])
        return call

    return add


def _view(op: Operation) -> Callable[..., ResponseReturnValue]:
    def view(**arguments: Any) -> ResponseReturnValue:
        if op.query:
            arguments["query"] = checked(op.query, request.args.to_dict())
        elif request.args:
            raise WrongQuery(dict.fromkeys(request.args, "There is no such parameter."))
        if op.body:
            sent = _body()
            arguments["body"] = sent if op.as_sent else checked(op.body, sent)
        result = op.call(**arguments)
        if op.answer is None:
            return "", 204
        model = result if isinstance(result, BaseModel) else op.answer.model_validate(result)
        return Response(model.model_dump_json(), op.status, mimetype="application/json")

    return view


def _body() -> dict[str, Any]:
    if not request.is_json:
        raise UnsupportedBodyError("Send JSON, with Content-Type: application/json.")
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise WrongQuery({"": "Send a JSON object."})
    return sent


def checked(model: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    """The values as an instance. Raises InvalidSpecError with a sentence at each wrong one."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong = {}
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            name = ".".join(str(part) for part in problem["loc"])
            unknown = problem["type"] == "extra_forbidden"
            wrong[name] = "There is no such parameter." if unknown else f"{problem['msg']}."
        raise WrongQuery(wrong) from error
