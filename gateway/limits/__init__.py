"""Rate limits: how many rows may be asked in a time, and what is said of it. The counting is the library `limits`."""
