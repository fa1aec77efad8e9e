"""jitlang."""
