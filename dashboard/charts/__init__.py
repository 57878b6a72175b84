"""Charts: Result -> Plotly figure. No chart computes a number that a table does not show."""
