"""The published class tables, one file per data set: rows of id, name, colour, train id, category, thing."""
