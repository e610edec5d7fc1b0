"""The demonstration: a cluster that breaks on cue, and keywatch watching it."""
