"""Blocks as call traces: what calls would have logged, what a source lacks, and traces that are not whole."""

import json

import pytest
from label_blocks import ALICE, BOT, DAI, OTHER_POOL, POOL, USD

from mev_dagster.chain.signing import address_of
from mev_dagster.dex.abi import encode_words, selector
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_ADDRESSES
from mev_dagster.errors import InputError
from mev_dagster.labels.label import label_block
from mev_dagster.labels.landed import Lack
from mev_dagster.labels.sources import block_of_file, landed_blocks
from mev_dagster.labels.traces import is_trace, traced_block

(WETH,) = WRAPPED_ETHER_ADDRESSES
SENDER, MINER = address_of(ALICE), b"\x4d" * 20
TRUE = encode_words((1,))
HASH = "0x" + "11" * 32


def hexed(value):
    return "0x" + value.hex()


def call(sender, to, data=b"", *inside, value=0, output=b"", error=None):
    """A call as geth nests it."""
    return {
        "type": "CALL",
        "from": hexed(sender),
        "to": hexed(to),
        "value": hex(value),
        "gas": "0x1",
        "gasUsed": "0x1",
        "input": hexed(data),
        "output": hexed(output),
        **({"error": error} if error else {}),
        "calls": list(inside),
    }


def transfer(token, sender, recipient, amount, **more):
    data = selector("transfer(address,uint256)") + encode_words((recipient, amount))
    return call(sender, token, data, **{"output": TRUE, **more})


def v2_swap(pool, token_out, amount_out, first, recipient=BOT, **more):
    amounts = (amount_out, 0) if first else (0, amount_out)
    data = selector("swap(uint256,uint256,address,bytes)") + encode_words((*amounts, recipient, 128, 0))
    return call(BOT, pool, data, transfer(token_out, pool, recipient, amount_out), **more)


def circle(**more):
    """Sells 100 wei of wrapped ether for 50 dollars, and those for 130."""
    return call(
        SENDER,
        BOT,
        b"",
        transfer(WETH, BOT, POOL, 100),
        v2_swap(POOL, USD, 50, USD < WETH),
        transfer(USD, BOT, OTHER_POOL, 50),
        v2_swap(OTHER_POOL, WETH, 130, WETH < USD),
        **more,
    )


def geth(*calls):
    return {
        "request": {"method": "debug_traceBlockByNumber", "params": ["0x11", {"tracer": "callTracer"}]},
        "response": {
            "result": [{"txHash": HASH[:-2] + f"{i:02x}", "result": one} for i, one in enumerate(calls)]
        },
    }


def parity(nested, tx_hash=HASH, at=()):
    """The same calls as OpenEthereum lists them."""
    yield {
        "type": "call",
        "action": {
            "from": nested["from"],
            "to": nested["to"],
            "value": nested["value"],
            "gas": "0x1",
            "input": nested["input"],
            "callType": "call",
        },
        "result": None if "error" in nested else {"gasUsed": "0x1", "output": nested["output"]},
        "error": nested.get("error"),
        "subtraces": len(nested["calls"]),
        "trace_address": list(at),
        "transaction_hash": tx_hash,
    }
    for index, inner in enumerate(nested["calls"]):
        yield from parity(inner, tx_hash, (*at, index))


def with_receipts(*calls, miner=MINER):
    hashes = ["0x" + f"{index:02x}" * 32 for index in range(len(calls))]
    return {
        "block_number": 17,
        "miner": hexed(miner),
        "base_fee_per_gas": 0,
        "traces": [t for one, tx_hash in zip(calls, hashes, strict=True) for t in parity(one, tx_hash)],
        "receipts": [
            {"transaction_hash": tx_hash, "gas_used": 7, "effective_gas_price": 3} for tx_hash in hashes
        ],
    }


def labels(document):
    return label_block(traced_block(document, "17.json"))


def test_an_arbitrage_is_found_in_calls_alone():
    (found,) = labels(with_receipts(circle())).of("arbitrage")
    assert (found.profit, found.net_wei, found.venues) == (((WETH, 30),), 30 - 7 * 3, (POOL, OTHER_POOL))


def test_geths_trace_tells_the_same_but_no_prices_of_gas_and_so_no_net():
    read = labels(geth(circle()))
    (found,) = read.of("arbitrage")
    assert (found.profit, found.net_wei, read.block.number) == (((WETH, 30),), None, 17)
    assert read.block.lacks == (Lack.GAS_PRICES, Lack.LOGS, Lack.COINBASE_PAYMENTS)


def test_what_the_miner_was_given_is_a_cost():
    paid = circle()
    paid["calls"].append(call(BOT, MINER, value=5))
    (found,) = labels(with_receipts(paid)).of("arbitrage")
    assert (found.costs.coinbase_wei, found.net_wei) == (5, 30 - 5 - 7 * 3)


def test_a_reverted_arbitrage_is_a_failed_one_that_paid_its_gas():
    read = labels(with_receipts(circle(error="Reverted")))
    (found,) = read.of("failed_arbitrage")
    assert (read.swaps, read.of("arbitrage"), found.profit, found.net_wei) == ((), (), (), -21)
    assert [(s.pool, s.amount_in, s.amount_out) for s in read.attempted_swaps] == [
        (POOL, 100, 50),
        (OTHER_POOL, 50, 130),
    ]


def test_a_leg_that_was_undone_inside_takes_its_swap_and_its_transfers_with_it():
    undone = circle()
    undone["calls"][3]["error"] = "Reverted"
    read = labels(with_receipts(undone))
    assert (len(read.swaps), read.of("arbitrage")) == (1, ())


def test_a_transfer_that_a_token_refused_moved_nothing():
    refused = circle()
    refused["calls"][3]["calls"][0]["output"] = hexed(bytes(32))
    assert labels(with_receipts(refused)).of("arbitrage") == ()


def test_a_sender_with_a_destroyed_pool_keeps_what_the_pool_gave_and_no_more():
    destroyed = with_receipts(circle())
    destroyed["traces"].append(
        {
            "type": "suicide",
            "action": {"address": hexed(POOL), "refundAddress": hexed(DAI), "balance": "0x9"},
            "result": None,
            "error": None,
            "subtraces": 0,
            "trace_address": [4],
            "transaction_hash": destroyed["traces"][0]["transaction_hash"],
        }
    )
    destroyed["traces"][0]["subtraces"] = 5
    (found,) = labels(destroyed).of("arbitrage")
    assert found.profit == ((WETH, 30),)


# -- what is not whole


def cut(document):
    del document["traces"][-1]
    return document


def without_its_beginning(document):
    del document["traces"][0]
    return document


def without_calls(document):
    document["traces"] = []
    return document


def without_receipts(document):
    document["receipts"] = []
    return document


def with_a_quantity_beyond_256_bits(document):
    document["traces"][0]["action"]["value"] = hex(1 << 256)
    return document


@pytest.mark.parametrize(
    "spoiled", [cut, without_its_beginning, without_calls, without_receipts, with_a_quantity_beyond_256_bits]
)
def test_a_trace_that_is_not_whole_is_refused_with_its_name(spoiled):
    with pytest.raises(InputError, match=r"17\.json: not a whole trace"):
        labels(spoiled(with_receipts(circle())))


@pytest.mark.parametrize("result", [None, {}, {"type": "CALL"}, "0x"])
def test_a_transaction_without_calls_is_refused(result):
    document = geth(circle(), circle())
    document["response"]["result"][1]["result"] = result
    with pytest.raises(InputError, match="not a whole trace"):
        labels(document)


def test_a_trace_that_nests_without_end_is_refused():
    deepest = call(SENDER, BOT)
    for _ in range(1_100):
        deepest = call(SENDER, BOT, b"", deepest)
    with pytest.raises(InputError, match="nest deeper"):
        labels(geth(deepest))


def test_an_empty_block_has_no_labels():
    assert labels({"request": {"method": "trace_block", "params": ["0x11"]}, "result": []}).labels == ()


@pytest.mark.parametrize("document", [{}, [], [1], {"result": 5}, {"traces": []}, "0x", None])
def test_other_documents_are_no_traces(document):
    assert not is_trace(document) or document == []


def test_one_file_that_cannot_be_used_names_itself_and_the_others_go_on(tmp_path):
    (tmp_path / "17.json").write_text(json.dumps(with_receipts(circle())))
    (tmp_path / "18.json").write_text('{"block": ')
    (tmp_path / "19.json").write_text(json.dumps(cut(with_receipts(circle()))))
    (tmp_path / "20.json").write_text(json.dumps(geth(circle())))
    unread = []
    found = list(
        landed_blocks([tmp_path], unread=lambda path, failure: unread.append((path.name, failure.code)))
    )
    assert len(found) == 2
    assert unread == [("18.json", "bad_input"), ("19.json", "bad_input")]


def test_an_answer_to_another_question_says_so(tmp_path):
    answer = {"request": {"method": "eth_getLogs", "params": []}, "response": {"result": []}}
    (tmp_path / "17.json").write_text(json.dumps(answer))
    with pytest.raises(InputError, match="not to trace_block") as refused:
        block_of_file(tmp_path / "17.json")
    assert refused.value.code == "no_calls"
