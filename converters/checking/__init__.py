"""Before a version is published: ask it in a fresh process, and hold its answers against the original's."""
