"""The SQLite side: open a file safely, say what it holds, back it up, read it, judge its values.

Every oddity of what SQLite lets a file hold is dealt with here, once. Nothing here
knows the target; nothing here writes to the source.
"""
