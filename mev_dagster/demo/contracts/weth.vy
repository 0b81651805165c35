# pragma version 0.4.3
# pragma evm-version prague
"""
@title Wrapped Ether
@notice Ether as a token, one to one, with the interface and events of WETH9.
"""

event Approval:
    src: indexed(address)
    guy: indexed(address)
    wad: uint256

event Transfer:
    src: indexed(address)
    dst: indexed(address)
    wad: uint256

event Deposit:
    dst: indexed(address)
    wad: uint256

event Withdrawal:
    src: indexed(address)
    wad: uint256

name: public(constant(String[13])) = "Wrapped Ether"
symbol: public(constant(String[4])) = "WETH"
decimals: public(constant(uint8)) = 18

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@external
@view
def totalSupply() -> uint256:
    return self.balance


@internal
def _deposit(dst: address, wad: uint256):
    self.balanceOf[dst] += wad
    log Deposit(dst=dst, wad=wad)


@external
@payable
def deposit():
    self._deposit(msg.sender, msg.value)


@external
@payable
def __default__():
    self._deposit(msg.sender, msg.value)


@external
def withdraw(wad: uint256):
    self.balanceOf[msg.sender] -= wad
    log Withdrawal(src=msg.sender, wad=wad)
    send(msg.sender, wad)


@external
def approve(guy: address, wad: uint256) -> bool:
    self.allowance[msg.sender][guy] = wad
    log Approval(src=msg.sender, guy=guy, wad=wad)
    return True


@internal
def _transfer(src: address, dst: address, wad: uint256):
    self.balanceOf[src] -= wad
    self.balanceOf[dst] += wad
    log Transfer(src=src, dst=dst, wad=wad)


@external
def transfer(dst: address, wad: uint256) -> bool:
    self._transfer(msg.sender, dst, wad)
    return True


@external
def transferFrom(src: address, dst: address, wad: uint256) -> bool:
    if src != msg.sender:
        allowed: uint256 = self.allowance[src][msg.sender]
        if allowed != max_value(uint256):
            self.allowance[src][msg.sender] = allowed - wad
    self._transfer(src, dst, wad)
    return True
