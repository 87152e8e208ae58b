"""Run a server over the versions, watch it, stop it."""
