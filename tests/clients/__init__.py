"""Tests against other people's programs, as Debian packages them: `make test-clients`."""
