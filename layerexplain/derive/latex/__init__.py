"""Formulas as LaTeX. It begins with statements.py."""
