"""The YAML spec → Model."""
