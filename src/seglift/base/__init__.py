"""Ground-floor pieces that every floor needs: user errors, atomic files, progress, seeding, weights files."""
