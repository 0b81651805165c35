"""Node records, discv4 packets and DNS lists against the vectors of their specifications."""

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from mev_dagster.devp2p import dnslist
from mev_dagster.devp2p.discv4 import (
    Endpoint,
    EnrRequest,
    EnrResponse,
    FindNode,
    Neighbors,
    Ping,
    Pong,
    decode_packet,
    encode_packet,
)
from mev_dagster.devp2p.enode import Enode, parse_enode
from mev_dagster.devp2p.enr import decode_record, parse_record, sign_record
from mev_dagster.devp2p.forkid import ForkId
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.node import resolved
from mev_dagster.errors import DecodeError, DnsUnreachable, InputError

KEY = NodeKey(b"\x31" * 32)
# EIP-778's example
ENR = (
    "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgn"
    "Y0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
)
# EIP-1459's example
OWNER = "enrtree://AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@nodes.example.org"
ROOT = (
    "enrtree-root:v1 e=JWXYDBPXYWG6FX3GMDIBFA6CJ4 l=C7HRFPF3BLGF3YR4DY5KX3SMBE seq=1 "
    "sig=o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a463gA"
)


def test_the_example_record_of_eip_778_is_read():
    record = parse_record(ENR)
    assert record.seq == 1
    assert record.address.hex() == "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"
    assert record.text == ENR
    assert (record.pairs[b"ip"], record.pairs[b"udp"]) == (bytes((127, 0, 0, 1)), b"\x76\x5f")
    assert record.enode is None, "a node that tells no TCP port cannot be dialled"


def test_the_example_record_is_what_its_key_signs():
    key = NodeKey(bytes.fromhex("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"))
    made = sign_record(key, 1, {b"ip": bytes((127, 0, 0, 1)), b"udp": 30303})
    assert made.text == ENR


def test_a_record_tells_chain_and_address():
    fork = ForkId(b"\x07\xc9\x46\x2e", 0)
    record = sign_record(KEY, 3, {b"ip": b"\x0a\x00\x00\x01", b"tcp": 30303, b"eth": [fork.fields()]})
    assert record.fork_id == fork
    assert record.enode == Enode(KEY.id, "10.0.0.1", 30303, 30303)


def test_no_byte_of_a_record_can_be_changed_unnoticed():
    raw = parse_record(ENR).raw
    for index in range(len(raw)):
        with pytest.raises(DecodeError):
            decode_record(raw[:index] + bytes((raw[index] ^ 1,)) + raw[index + 1 :])


@pytest.mark.fixtures
def test_discv4_vectors_decode_whatever_they_append(fixtures):
    packets = json.loads((fixtures / "p2p" / "discv4_packets.json").read_text())
    decoded = [decode_packet(bytes.fromhex(packet)) for packet in packets]
    kinds = [Ping, Ping, FindNode, Neighbors]
    assert [type(signed.packet) for signed in decoded] == kinds
    signer = "ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138"
    assert {signed.node_id.hex()[:64] for signed in decoded} == {signer}
    ping = decoded[0].packet
    assert (ping.version, ping.expiration) == (4, 1136239445)
    assert ping.source == Endpoint("127.0.0.1", 3322, 5544)
    nodes = decoded[3].packet.nodes
    assert [(node.host, node.udp_port, node.tcp_port) for node in nodes] == [
        ("99.33.22.55", 4444, 4445),
        ("1.2.3.4", 1, 1),
        ("2001:db8:3c4d:15::abcd:ef12", 3333, 3333),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", 999, 1000),
    ]


DISCV5 = "discv5_v5.1-{}.txt"
STATIC_HEADER_BYTES, NODE_ID_BYTES = 23, 32


def discv5_packet(path: Path) -> tuple[dict[str, bytes], int, bytes]:
    """Return a vector's inputs, the packet's flag and its authdata; the header is masked, not encrypted."""
    lines = path.read_text().splitlines()
    inputs = dict(
        re.fullmatch(r"# ([\w.-]+) = 0x([0-9a-f]+)", line).groups() for line in lines if " = 0x" in line
    )
    packet = bytes.fromhex("".join(line for line in lines if not line.startswith("#")))
    mask = Cipher(AES(bytes.fromhex(inputs["dest-node-id"])[:16]), CTR(packet[:16])).decryptor()
    header = mask.update(packet[16:])
    assert header[:8] == b"discv5\x00\x01"
    size = int.from_bytes(header[STATIC_HEADER_BYTES - 2 : STATIC_HEADER_BYTES], "big")
    authdata = header[STATIC_HEADER_BYTES : STATIC_HEADER_BYTES + size]
    return {name: bytes.fromhex(text) for name, text in inputs.items()}, header[8], authdata


@pytest.mark.fixtures
def test_a_record_inside_a_discv5_handshake_is_read_and_is_its_senders(fixtures):
    """We speak discv4 and DNS lists; discv5 carries the same records, and its vectors hold one."""
    inputs, flag, authdata = discv5_packet(fixtures / "p2p" / DISCV5.format("ping-handshake-enr"))
    signature_bytes, key_bytes = authdata[NODE_ID_BYTES : NODE_ID_BYTES + 2]
    assert (flag, authdata[:NODE_ID_BYTES]) == (2, inputs["src-node-id"])
    record = decode_record(authdata[NODE_ID_BYTES + 2 + signature_bytes + key_bytes :])
    assert record.address == inputs["src-node-id"]
    assert (record.seq, record.enode, record.fork_id) == (1, None, None)


@pytest.mark.fixtures
@pytest.mark.parametrize(("name", "flag"), [("ping-message", 0), ("whoareyou", 1), ("ping-handshake", 2)])
def test_no_other_discv5_vector_holds_a_record(fixtures, name, flag):
    inputs, found, authdata = discv5_packet(fixtures / "p2p" / DISCV5.format(name))
    assert found == flag
    if flag == 1:
        assert authdata[:16] == inputs["whoareyou.id-nonce"]
        return
    assert authdata[:NODE_ID_BYTES] == inputs["src-node-id"]
    proof = 2 + sum(authdata[NODE_ID_BYTES : NODE_ID_BYTES + 2]) if flag == 2 else 0
    assert len(authdata) == NODE_ID_BYTES + proof


END = Endpoint("10.0.0.1", 30303, 30304)
PACKETS = [
    Ping(END, END, 17, 5),
    Ping(END, END, 17),
    Pong(END, b"\x01" * 32, 18, 6),
    FindNode(KEY.id, 19),
    Neighbors((Enode(KEY.id, "::1", 1, 2), Enode(KEY.id, "1.2.3.4", 3, 4)), 20),
    EnrRequest(21),
    EnrResponse(b"\x02" * 32, parse_record(ENR).raw),
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: type(packet).__name__)
def test_packets_survive_the_wire_and_damage_does_not(packet):
    datagram, digest = encode_packet(packet, KEY)
    signed = decode_packet(datagram)
    assert (signed.packet, signed.node_id, signed.hash) == (packet, KEY.id, digest)
    for index in range(len(datagram)):
        with pytest.raises(DecodeError):
            decode_packet(datagram[:index] + bytes((datagram[index] ^ 1,)) + datagram[index + 1 :])


def test_a_root_is_believed_only_with_its_owners_signature():
    link = dnslist.parse_link(OWNER)
    root = dnslist.parse_root(ROOT, link.node_id)
    assert (root.records, root.links, root.seq) == (
        "JWXYDBPXYWG6FX3GMDIBFA6CJ4",
        "C7HRFPF3BLGF3YR4DY5KX3SMBE",
        1,
    )
    with pytest.raises(DecodeError, match="bad_signature"):
        dnslist.parse_root(ROOT.replace("seq=1", "seq=2"), link.node_id)


def test_a_tree_entry_stands_under_its_own_hash():
    link = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@morenodes.example.org"
    entry = dnslist.parse_entry(link, "C7HRFPF3BLGF3YR4DY5KX3SMBE")
    assert isinstance(entry, dnslist.TreeLink)
    assert entry.domain == "morenodes.example.org"
    with pytest.raises(DecodeError, match="bad_tree_hash"):
        dnslist.parse_entry(link, "JWXYDBPXYWG6FX3GMDIBFA6CJ4")


def signed_tree(domain: str, key: NodeKey, entries: list[str], links: list[str]) -> dict[str, str]:
    """A DNS zone that holds a list."""
    from base64 import urlsafe_b64encode

    from mev_dagster.chain.keccak import keccak

    zone = {}

    def put(text: str) -> str:
        zone[f"{dnslist.hash_label(text)}.{domain}"] = text
        return dnslist.hash_label(text)

    records = put("enrtree-branch:" + ",".join(put(entry) for entry in entries))
    linked = put("enrtree-branch:" + ",".join(put(link) for link in links))
    text = f"enrtree-root:v1 e={records} l={linked} seq=7"
    signature = urlsafe_b64encode(key.sign(keccak(text.encode()))).rstrip(b"=").decode()
    zone[domain] = f"{text} sig={signature}"
    return zone


def list_url(key: NodeKey, domain: str) -> str:
    from base64 import b32encode

    from coincurve import PublicKey

    compressed = PublicKey(b"\x04" + key.id).format(compressed=True)
    return f"enrtree://{b32encode(compressed).decode().rstrip('=')}@{domain}"


async def test_a_walk_follows_links_survives_damage_and_ends():
    mine, other = NodeKey(b"\x01" * 32), NodeKey(b"\x02" * 32)
    records = [sign_record(NodeKey(bytes((n,)) * 32), n, {b"tcp": n}).text for n in range(3, 9)]
    zone = signed_tree("a.example", mine, records[:4], [list_url(other, "b.example")])
    zone |= signed_tree("b.example", other, records[4:], [list_url(mine, "a.example")])
    lost = f"{dnslist.hash_label(records[0])}.a.example"
    zone[lost] = zone[lost].replace("A", "B")

    async def resolve(name: str) -> str:
        return zone[name]

    found = [record.text async for record in dnslist.walk(list_url(mine, "a.example"), resolve)]
    assert sorted(found) == sorted(records[1:])


async def test_a_list_with_a_forged_root_is_refused_as_a_whole():
    zone = signed_tree("a.example", NodeKey(b"\x01" * 32), [], [])

    async def resolve(name: str) -> str:
        if name not in zone:
            raise DnsUnreachable(name)
        return zone[name]

    with pytest.raises(DecodeError, match="bad_signature"):
        _ = [record async for record in dnslist.walk(list_url(KEY, "a.example"), resolve)]


@pytest.mark.parametrize(
    "url",
    [
        "http://x",
        "enode://00@1.2.3.4:1",
        f"enode://{'00' * 64}@1.2.3.4:30303",
        f"enode://{KEY.id.hex()}@1.2.3:30303",
        f"enode://{KEY.id.hex()}@300.1.1.1:30303",
        f"enode://{KEY.id.hex()}@-host.example:30303",
        f"enode://{KEY.id.hex()}@host..example:30303",
        f"enode://{KEY.id.hex()}@{'a' * 64}.example:30303",
        f"enode://{KEY.id.hex()}@1.2.3.4",
        f"enode://{KEY.id.hex()}@1.2.3.4:99999",
    ],
)
def test_what_is_no_enode_url_is_bad_input(url):
    with pytest.raises(InputError):
        parse_enode(url)


def test_enode_urls_read_as_they_are_written():
    url = f"enode://{KEY.id.hex()}@10.0.0.1:30303?discport=30301"
    assert str(parse_enode(url)) == url
    assert parse_enode(url).udp_port == 30301
    assert parse_enode(f"enode://{KEY.id.hex()}@[::1]:1").host == "::1"


@pytest.mark.parametrize("host", ["host.example", "geth", "node_1.internal", "a-b.example."])
def test_an_enode_may_name_its_host(host):
    url = f"enode://{KEY.id.hex()}@{host}:30303"
    assert str(parse_enode(url)) == url
    assert parse_enode(url).is_named
    assert not parse_enode(f"enode://{KEY.id.hex()}@[::1]:1").is_named


async def test_bootnodes_are_looked_up_and_unknown_names_left_out():
    by_name, by_address, unknown = (
        parse_enode(f"enode://{KEY.id.hex()}@{host}:30303")
        for host in ("localhost", "10.0.0.1", "nobody.invalid")
    )
    found = await resolved((by_name, by_address, unknown))
    assert [enode.host in {"127.0.0.1", "::1"} for enode in found] == [True, False]
    assert found[1] == by_address
