"""Trains what no publisher has: a model of findings in chest X-rays, from pictures in the NIH's layout."""
