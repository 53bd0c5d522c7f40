"""The control socket: commands on the same host reach the running relay, whose connection alone writes."""
