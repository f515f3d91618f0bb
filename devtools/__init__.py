"""What `./dev` does: set-up, services, supervisor, tests and checks, on the standard library."""
