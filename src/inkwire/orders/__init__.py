"""Orders, their statuses, and the templates that give their PDFs."""
