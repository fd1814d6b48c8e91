"""The configurations in deploy/, each with the program that it is for."""
