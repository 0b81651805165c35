"""A bidding strategy that keeps a share, and a kind of relay that knows nobody and takes nothing."""

from mev_dagster.errors import NodeAnswerError


class Share:
    def __init__(self, share_bps):
        self.share_bps = share_bps

    def bid(self, context):
        return context.block_value_wei * self.share_bps // 10_000


def toy_bid(share_bps: int = 9_000):
    return Share(share_bps)


class ToyRelay:
    def __init__(self, url):
        self.url = url

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def submit(self, submission, *, deadline_ns, superseded, parent=None):
        raise NodeAnswerError(f"{self.url} takes nothing")

    async def receipts(self, block_hash):
        return []

    async def duty_of_block(self, number):
        raise NodeAnswerError(f"{self.url} knows nobody")

    async def post_slot(self, document):
        raise NodeAnswerError(f"{self.url} knows nobody")


def toy_relay(item, tracing, breaker):
    return ToyRelay(item.url)
