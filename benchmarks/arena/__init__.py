"""The arena: victims, honest clients, thieves and published detectors, on identical streams."""
