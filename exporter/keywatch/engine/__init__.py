"""How questions are asked: the contract of a probe, when it runs, what is kept of it and how it is rendered."""
