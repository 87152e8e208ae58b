"""How right a version is: scores against version 1 on pictures that nothing was learnt from."""
