"""Real faults as fixtures, one file each: a cut line, a full disk, a locked file, a well-aimed kill."""
