"""The pages: file of each, its name, and the question it answers, in the order of the bar."""

from typing import Final

PAGES: Final = {
    "explore": ("Explore", "Will it fit, and will it feel fast?"),
    "feel": ("Feel it", "What is it like to wait for it?"),
    "timeline": ("Timeline", "Who waits for whom?"),
    "bytes": ("Bytes", "What moves, and what lies where?"),
    "tradeoffs": ("Trade-offs", "What is the best configuration?"),
    "phones": ("Phones", "Which phone, which stack?"),
    "sustained": ("Sustained", "What happens after ten minutes?"),
    "validate": ("Validate", "How wrong is it?"),
    "evidence": ("Evidence", "Why should I believe it?"),
    "network": ("Network", "What does one network take?"),
    "runs": ("Runs", "How do my runs compare?"),
    "own": ("Bring your own", "What about my phone and my model?"),
    "report": ("Report", "What do I hand over?"),
    "assumptions": ("Assumptions", "Says who?"),
}
