"""Passes over graphs: one file per pass, one analysis of aliases and effects for all of them."""
