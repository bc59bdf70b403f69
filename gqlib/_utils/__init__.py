"""What several rooms use and no user of the library needs."""
