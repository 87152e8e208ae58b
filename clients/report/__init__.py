"""The comparison as people read it: a table, a JSON file and a page."""
