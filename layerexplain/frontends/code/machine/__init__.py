"""The machine: Python's statements and expressions over values. It knows no library.

interpreter.py   the whole of it, calls, and how libraries are declared; parts.py: what its parts share
statements.py    statements; definitions.py: functions, classes, imports, dataclasses
expressions.py   expressions; choices.py: which branch is read, what hangs on that, and loops
effects.py       one journal of what was changed, assumed, left open and raised
"""
