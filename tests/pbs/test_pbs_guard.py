"""Nothing leaves the machine: what is no literal loopback address is refused in a sentence."""

import socket

import pytest

from mev_dagster.errors import RelayRefused
from mev_dagster.pbs.client.guard import loopback_socket, require_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::1%lo"])
def test_this_machine_is_let_through(host):
    require_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "8.8.8.8", "::", "0.0.0.0", "2001:db8::1", "::ffff:8.8.8.8"])
def test_another_machine_is_refused(host):
    with pytest.raises(RelayRefused, match="is not this machine's loopback"):
        require_loopback(host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1.example.org", "", "127.1", "0x7f000001"])
def test_what_is_no_address_is_refused_before_anybody_resolves_it(host):
    with pytest.raises(RelayRefused, match="is no IP address"):
        require_loopback(host)


def test_no_socket_is_made_for_an_address_that_a_name_resolved_to_elsewhere():
    with pytest.raises(RelayRefused):
        loopback_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80)))
    made = loopback_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    assert not made.getblocking()
    made.close()
