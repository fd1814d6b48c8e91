"""Other people's bouncers, started as their users start them, for the tests and for the benchmark of enforcement."""
