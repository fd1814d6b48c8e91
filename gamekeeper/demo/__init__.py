"""The whole system on one machine, on real data, with honest clients and thieves.

Inputs are scikit-learn's digits: float32 images of shape (8, 8), scaled to 0..1.
"""

from pathlib import Path

POLICY = Path(__file__).with_name("policy.toml")
"""The policy of the demo, and of tests of the whole system with as many thieves."""
