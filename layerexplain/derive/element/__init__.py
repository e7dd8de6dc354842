"""The element form: how one element of a result is computed. It begins with form.py."""
