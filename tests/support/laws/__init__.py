"""What every dialect must obey, as laws that a test, or a planted fault, can put to any of them."""
