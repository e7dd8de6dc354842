"""The languages of the project: expressions, single elements, notation."""
