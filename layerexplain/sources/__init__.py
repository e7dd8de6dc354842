"""Where files are: on this machine, behind a URL that fsspec opens, or in an archive (`file.zip::inside/m.keras`).

Readers see a name and a file that can be read and moved in. A plain path imports nothing of this package but its names.
"""
