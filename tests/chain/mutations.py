"""Ways to damage a transaction: bytes anywhere, RLP structure, and the values that rules are about."""

import rlp

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
EDGES = [
    0,
    1,
    27,
    28,
    35,
    36,
    37,
    127,
    128,
    255,
    2**32,
    2**64 - 2,
    2**64 - 1,
    2**64,
    N // 2,
    N // 2 + 1,
    N - 1,
    N,
    2**256,
]


def mutate(raw, chance):
    """Return a damaged copy; now and then damaged twice."""
    for _ in range(chance.choice((1, 1, 1, 2))):
        raw = chance.choice((flip, flip, insert, delete, cut, header, splice, field, field, field, number))(
            raw, chance
        )
    return raw


def flip(raw, chance):
    place = chance.randrange(len(raw)) if raw else 0
    return raw[:place] + bytes([chance.randrange(256)]) + raw[place + 1 :]


def insert(raw, chance):
    place = chance.randrange(len(raw) + 1)
    return raw[:place] + chance.randbytes(chance.choice((1, 1, 2, 8))) + raw[place:]


def delete(raw, chance):
    place = chance.randrange(len(raw) + 1)
    return raw[:place] + raw[place + chance.choice((1, 1, 2, 8)) :]


def cut(raw, chance):
    return raw[: chance.randrange(len(raw) + 1)]


def header(raw, chance):
    """Change one of the first bytes, where the type and the lengths are."""
    place = chance.randrange(min(len(raw), 6)) if raw else 0
    return (
        raw[:place]
        + bytes([chance.choice((0, 1, 2, 3, 4, 5, 0x80, 0x81, 0xB8, 0xBF, 0xC0, 0xF7, 0xF8, 0xF9, 0xFF))])
        + raw[place + 1 :]
    )


def splice(raw, chance):
    if not raw:
        return raw
    start = chance.randrange(len(raw))
    piece = raw[start : start + chance.randrange(1, 40)]
    place = chance.randrange(len(raw))
    return raw[:place] + piece + raw[place:]


def _open(raw):
    prefix, body = (b"", raw) if raw[:1] >= b"\xc0" else (raw[:1], raw[1:])
    fields = rlp.decode(body)
    return (prefix, list(fields)) if isinstance(fields, list) and fields else None


def _damage_field(fields, chance):
    place = chance.randrange(len(fields))
    if isinstance(fields[place], list) and fields[place] and chance.random() < 0.7:
        fields[place] = list(fields[place])
        _damage_field(fields[place], chance)
        return
    how = chance.randrange(8)
    item = fields[place]
    flat = item if isinstance(item, bytes) else b""
    if how == 0:
        fields[place] = b"\0" + flat
    elif how == 1:
        fields[place] = flat + chance.randbytes(1)
    elif how == 2:
        fields[place] = flat[1:]
    elif how == 3:
        fields[place] = [item]
    elif how == 4:
        del fields[place]
    elif how == 5:
        fields.insert(place, item)
    elif how == 6:
        fields[place] = []
    else:
        fields[place] = b""


def field(raw, chance):
    """Re-encode canonically with one field damaged: the RLP is fine, the transaction may not be."""
    try:
        opened = _open(raw)
    except rlp.exceptions.RLPException:
        return flip(raw, chance)
    if opened is None:
        return raw
    prefix, fields = opened
    _damage_field(fields, chance)
    return prefix + rlp.encode(fields)


def number(raw, chance):
    """Re-encode canonically with one top-level string replaced by a number at the edge of a rule."""
    try:
        opened = _open(raw)
    except rlp.exceptions.RLPException:
        return flip(raw, chance)
    if opened is None:
        return raw
    prefix, fields = opened
    value = chance.choice(EDGES)
    fields[chance.randrange(len(fields))] = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return prefix + rlp.encode(fields)
