"""Every key of the configuration with its type, default and meaning; reads files, contacts nobody."""
