"""Files of this machine: devices that are refused, members of zip archives, limits, files that are replaced whole."""
