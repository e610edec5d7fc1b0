"""One server asked under a deadline: HTTP, TLS, and how a connection fails, as a reason."""
