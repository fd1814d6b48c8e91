"""The door: command line, settings, embedded services, and how it is deployed."""
