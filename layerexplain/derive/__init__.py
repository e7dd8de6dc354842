"""The questions that are asked of an expression, one file each."""
