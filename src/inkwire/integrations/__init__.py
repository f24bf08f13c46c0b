"""Business processes: one folder each, found by scanning; each holds an `INTEGRATION`."""
