"""What each report gives to the printers: its document, its columns and its data."""
