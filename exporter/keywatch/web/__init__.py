"""keywatch's own port: who may ask, how long and how much; /metrics, health, reload."""
