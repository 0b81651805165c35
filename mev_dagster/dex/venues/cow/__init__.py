"""CoW's settlements: a batch of users' orders at one price a token."""
