"""Reproducible benchmarks; each prints ratios against a named control of the same run."""
