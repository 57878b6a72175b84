"""Reports: one question, its verdict and what it rests on, as HTML, PDF, Markdown or JSON."""
