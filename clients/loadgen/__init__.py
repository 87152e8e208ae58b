"""Put a server under load and tell what it took, with the doubts."""
