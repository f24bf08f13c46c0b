"""Sources as an operator handles them: the desk, the declared file, and the inbox of what came."""
