"""The command line: parse, call, print. One file a command; `main` has the table of them."""
