"""What several rooms need: every room may import it, and it imports none of them."""
