"""The machine: Python's statements and expressions over values. It knows no library.

interpreter.py   the whole of it; parts.py: what its parts share
statements.py    statements; loops.py: loops; definitions.py: functions, classes, imports, dataclasses
expressions.py   expressions; calls.py: calls, attributes, items, and arguments that a function does not take
choices.py       which branch is read, and what hangs on that
effects.py       one journal of what was changed, assumed, left open and raised
modules.py       modules beside a program
"""
