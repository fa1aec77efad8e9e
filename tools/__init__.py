"""What writes files that are checked in."""
