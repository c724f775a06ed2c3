"""Files: written in one step, and read without trusting them."""
