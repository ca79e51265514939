"""The Review workspace: a recorded session or table, scrubbed, edited, summed up and exported."""
