"""The `keywatch` command: one module a subcommand."""
