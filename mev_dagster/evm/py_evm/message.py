"""A message between accounts: what py-evm's `Message` holds, without its checks of every field.

`kind` is the instruction that sent it. The fields come from transactions that have been judged and from
opcodes that keep them in range, so they are not looked at again.
"""

CREATE_TARGET = b""  # py-evm's "to" of a creation


class CallMessage:
    """One call or creation."""

    __slots__ = (
        "code",
        "code_address",
        "create_address",
        "data",
        "depth",
        "gas",
        "is_create",
        "is_delegation",
        "is_static",
        "kind",
        "refund",
        "sender",
        "should_transfer_value",
        "storage_address",
        "to",
        "value",
    )

    def __init__(
        self,
        *,
        gas: int,
        to: bytes,
        sender: bytes,
        value: int,
        data: bytes,
        code: bytes,
        kind: str,
        depth: int = 0,
        create_address: bytes | None = None,
        code_address: bytes | None = None,
        should_transfer_value: bool = True,
        is_static: bool = False,
        is_delegation: bool = False,
        refund: int = 0,
    ) -> None:
        self.gas = gas
        self.to = to
        self.sender = sender
        self.value = value
        self.data = data
        self.code = code
        self.kind = kind
        self.depth = depth
        self.create_address = create_address
        self.code_address = to if code_address is None else code_address
        self.storage_address = to if create_address is None else create_address
        self.should_transfer_value = should_transfer_value
        self.is_static = is_static
        self.is_delegation = is_delegation
        self.is_create = to == CREATE_TARGET
        self.refund = refund

    @property
    def data_as_bytes(self) -> bytes:
        """The input; py-evm's may be a view, ours never is."""
        return self.data
