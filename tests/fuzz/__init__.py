"""The fuzzer: broken files and absurd configurations may be refused with a `LayerExplainError`, and nothing else.

    LAYEREXPLAIN_FUZZ=50000 pytest tests/end_to_end/test_fuzz.py

A mutation is made from (kind, number) alone, so what is found is made again by its number.
"""
