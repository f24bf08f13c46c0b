"""What happens after the answer: events are dispatched, and the work of integrations runs."""
