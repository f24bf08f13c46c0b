"""Who may come in, and as whom: users, sessions, API keys, the audit log."""
