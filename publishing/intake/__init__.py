"""Taking a brief in: what is read, what is refused, who holds a text, what is created."""
