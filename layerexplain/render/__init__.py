"""Report → text: tables, explanations, JSON, CSV, TSV and markdown.

`documents` picks the renderer of a format. Everything that a file brought goes through `escape` on its way out.
"""
