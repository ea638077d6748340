"""Series as Arrow: timeframes, bars out of finer bars, joins by time. No clock, no database."""
