"""Watermarks: marks that a stolen copy of a model carries, and what they prove.

Two kinds. The trigger set (`embed`) is in the model itself, and speaks for the owner; marked answers (`dawn`) are given
to one client, and name the thief. Both rest on keyed labels: an innocent model knows nothing of the key, so how often
it gives such labels by chance is known exactly (`proof`), whatever model it is.
"""
