"""The promises, held against the real thing. Each folder mirrors a room."""
