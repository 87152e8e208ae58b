"""What answers are worth, and how far those of two versions are apart."""
