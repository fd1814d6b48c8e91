"""The door: command line, settings, and everything that runs the whole system on one machine."""
