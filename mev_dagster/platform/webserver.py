"""Dagster's web server asked over GraphQL, the way its own UI does: keys, backfills, their progress."""

import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import msgspec

from mev_dagster.errors import NodeAnswerError, PlatformUnreachable
from mev_dagster.serving.listen import reached
from mev_dagster.settings import Settings

TIMEOUT_SECONDS = 60.0
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "mev_dagster"}

STORED_KEYS = """query($path: [String!]!) { assetNodeOrError(assetKey: {path: $path}) {
  __typename ... on AssetNode { partitionKeys } } }"""
ADD_KEY = """mutation($selector: RepositorySelector!, $key: String!) {
  addDynamicPartition(repositorySelector: $selector, partitionsDefName: "blocks", partitionKey: $key) {
    __typename ... on PythonError { message } ... on UnauthorizedError { message } } }"""
LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  ... on PartitionKeysNotFoundError { partitionKeys } } }"""
PROGRESS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  __typename ... on PartitionBackfill { status error { message } numPartitions
    assetBackfillData { assetBackfillStatuses { ... on AssetPartitionsStatusCounts {
      numPartitionsTargeted numPartitionsMaterialized numPartitionsFailed } } } } } }"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is: asset partitions targeted, materialised, failed."""

    status: str
    targeted: int
    done: int
    failed: int
    error: str

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status.startswith(("COMPLETED", "FAILED", "CANCELED"))


class Webserver:
    """Dagster's web server of these settings."""

    def __init__(self, config: Settings) -> None:
        self.url = f"http://{reached(config.host)}:{config.dagster.webserver_port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        """Ask one question and return its only field's value."""
        body = msgspec.json.encode({"query": query, "variables": variables})
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                found = msgspec.json.decode(answer.read())
        except msgspec.DecodeError as error:
            raise NodeAnswerError(f"{self.url}: not JSON: {error}") from error
        except (OSError, HTTPException) as error:
            raise PlatformUnreachable(
                f"Dagster's web server does not answer at {self.url}; start it with `mev up`: {error}"
            ) from error
        if found.get("errors"):
            raise NodeAnswerError(f"{self.url}: {found['errors'][0].get('message')}")
        (value,) = found["data"].values()
        return value

    def block_keys(self) -> set[str]:
        """Return the block keys Dagster knows."""
        node = self.ask(STORED_KEYS, path=["opportunities"])
        return set(node.get("partitionKeys", ()))

    def add_block_keys(self, keys: Sequence[str]) -> int:
        """Add the keys that Dagster lacks; return how many those were."""
        missing = sorted(set(keys) - self.block_keys(), key=int)
        for key in missing:
            answer = self.ask(ADD_KEY, selector=REPOSITORY, key=key)
            # Another backfill may have added the key in between.
            if answer["__typename"] not in ("AddDynamicPartitionSuccess", "DuplicateDynamicPartitionError"):
                raise NodeAnswerError(f"key {key}: {answer.get('message', answer['__typename'])}")
        return len(missing)

    def launch_backfill(
        self, assets: Sequence[str], keys: Sequence[str], *, title: str, tags: dict[str, str]
    ) -> str:
        """Launch a backfill of these assets and keys; return its id."""
        answer = self.ask(
            LAUNCH,
            params={
                "assetSelection": [{"path": [name]} for name in assets],
                "partitionNames": list(keys),
                "title": title,
                "tags": [{"key": key, "value": value} for key, value in tags.items()],
            },
        )
        if answer["__typename"] != "LaunchBackfillSuccess":
            raise NodeAnswerError(f"Dagster refused the backfill: {answer}")
        return str(answer["backfillId"])

    def progress(self, backfill_id: str) -> Progress:
        """Return how far a backfill is."""
        answer = self.ask(PROGRESS, id=backfill_id)
        if answer["__typename"] != "PartitionBackfill":
            raise NodeAnswerError(f"backfill {backfill_id}: {answer['__typename']}")
        counts = (answer.get("assetBackfillData") or {}).get("assetBackfillStatuses") or []
        return Progress(
            answer["status"],
            sum(one.get("numPartitionsTargeted", 0) for one in counts),
            sum(one.get("numPartitionsMaterialized", 0) for one in counts),
            sum(one.get("numPartitionsFailed", 0) for one in counts),
            (answer.get("error") or {}).get("message", ""),
        )
