"""Documents: stored files, verdicts on their signatures, evidence."""
