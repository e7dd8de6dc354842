"""Formulas as they are typeset, as trees (lang/latex.py). It begins with statements.py."""
