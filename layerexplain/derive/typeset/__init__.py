"""Formulas as they are typeset, as trees (lang/typeset.py). It begins with statements.py."""
