"""What happens to events after their answer: today search terms, later work and messages."""
