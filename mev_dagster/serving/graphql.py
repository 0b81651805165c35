"""What a GraphQL endpoint takes: a GET reads, a POST says what it carries.

Dagster's web server carries out a mutation that comes by GET, which any page can send with the address of an
image, and one in the address of a form's POST. Neither is a way that its own UI uses.
"""

import json
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qs

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

from mev_dagster.serving.doors import READING, App, Receive, Refusal, Scope, Send, answer_refusal, headers_of

CARRIED = frozenset({"application/json", "application/graphql"})
LONGEST_QUERY = 65_536
MOST_TOKENS = 4_096


class GraphQLByItsMethod:
    """An ASGI application whose `/graphql` changes nothing by GET."""

    def __init__(self, app: App, path: str = "/graphql") -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer why not."""
        refusal = None
        if scope["type"] == "http" and scope["path"].rstrip("/") == self._path:
            content_type = headers_of(scope["headers"]).get("content-type", "")
            refusal = refusal_of(scope["method"], scope.get("query_string", b""), content_type)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await answer_refusal(send, refusal)


def refusal_of(method: str, query_string: bytes, content_type: str) -> Refusal | None:
    """Return why a request to a GraphQL endpoint is refused, None where it may come in."""
    if method not in READING:
        if content_type.partition(";")[0].strip().lower() in CARRIED:
            return None
        return Refusal(415, "wrong_content_type", f"expected {' or '.join(sorted(CARRIED))}")
    queries = parse_qs(query_string.decode("latin-1"), keep_blank_values=True).get("query", [])
    return next((refused for query in queries if (refused := _refused(query))), None)


def _refused(query: str) -> Refusal | None:
    if len(query) > LONGEST_QUERY:
        return Refusal(414, "too_large", f"a query by GET has at most {LONGEST_QUERY} characters")
    try:
        document = parse(query, max_tokens=MOST_TOKENS)
    except (GraphQLError, RecursionError) as error:
        return Refusal(400, "bad_query", json.dumps(str(error))[:200])
    changing = list(_operations(document.definitions))
    return Refusal(405, "by_post_only", f"a {changing[0]} does not come by GET") if changing else None


def _operations(definitions: Sequence[object]) -> Iterable[str]:
    """Yield the kinds of operations that do more than read."""
    for one in definitions:
        if isinstance(one, OperationDefinitionNode) and one.operation is not OperationType.QUERY:
            yield one.operation.value
