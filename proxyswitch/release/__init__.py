"""Releases: plans as values, one engine that acts, and the journal from which an interrupted run is finished or undone."""
