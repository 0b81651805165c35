"""How our own services are reached: one way to bind, one door in front, one limit on silence.

`listen` makes the socket, `doors` refuses what a web page or a wrong address sends, `protocol` ends
connections that open and say nothing, `token` is the home's secret that changes of state must show.
"""
