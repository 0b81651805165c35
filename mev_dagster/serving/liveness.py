"""The question a service on a unix socket answers from its own loop: that it lives."""

PING = b'{"ping": true}\n'
PONG = b'{"alive": true}\n'
