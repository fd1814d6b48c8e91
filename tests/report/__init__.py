"""Reports: pages made from rows, without a database."""
