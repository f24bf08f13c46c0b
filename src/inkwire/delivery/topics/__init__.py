"""The built-in topics: one JSON file each, with description, schema and example."""
