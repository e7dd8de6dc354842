"""The language server: what is known of each layer, beside its line while it is written.

Reads a text with the readers of files (reading.py) into plain data: what is shown of its layers (hints.py), and what is
wrong (problems.py). server.py speaks the protocol; nothing else imports pygls."""
