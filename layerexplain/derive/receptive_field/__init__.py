"""What one element of a result depends on. It begins with fields.py."""
