"""A gRPC server for laptops, tests and the demo that answers as the stock server does."""
